// The texts of LoadOptions that decide how weights lie in memory, as choices. Pure functions.
#pragma once

#include <string>

#include "base/result.h"
#include "ops/packed_weights.h"

namespace tessera::models {

/// --dtype auto, bfloat16 or float32 and --weight-layout nz or nd; an empty layout is nz. kUnsupported.
Result<ops::PackOptions> parse_packing(const std::string& dtype, const std::string& layout);

}  // namespace tessera::models
