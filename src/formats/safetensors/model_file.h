// Opening a file that belongs to a model directory: base/model_file.h under this layer's name.
#pragma once

#include "base/model_file.h"

namespace tessera::formats {

using tessera::open_model_file;

}  // namespace tessera::formats
