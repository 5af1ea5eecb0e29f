// QuantizeOptions as JSON: what a result depends on, so that work that was begun is gone on with, and
// measurements are used again, only under the same options.
#pragma once

#include <nlohmann/json.hpp>

#include "compress/quantize_plan.h"

namespace tessera::compress {

/// Everything that changes a byte of the checkpoint, with the sizes and dates of the files that it is made
/// from. kNotFound where there are none.
Result<nlohmann::json> fingerprint(const QuantizeOptions& options);

/// What the sensitivity of a unit depends on, beside the model and the schemes.
nlohmann::json sensitivity_settings(const QuantizeOptions& options);

}  // namespace tessera::compress
