// LlamaForCausalLM.
#pragma once

#include "models/architecture.h"

namespace tessera::models {
extern const Architecture kLlama;
}
