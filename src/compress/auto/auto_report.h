// An AutoReport as text for a terminal and as JSON, which `--sensitivity` reads again.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "compress/auto/auto_scheme.h"

namespace tessera::compress {

/// A table of the units by falling KL per byte, and the curve of KL against bytes.
std::string to_text(const AutoReport& report);

/// `settings`: what the figures depend on beside the units.
nlohmann::json to_json(const AutoReport& report, const nlohmann::json& settings);

/// Sets `kl` of the report's units and its tokens. kInvalidArgument when the file is of other units, bytes,
/// schemes or settings.
Status read_sensitivity(const std::string& file, const nlohmann::json& settings, AutoReport& report);

}  // namespace tessera::compress
