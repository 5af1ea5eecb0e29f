// Architecture: one supported family. A folder defines one constant, architectures.cc lists it: nothing else
// knows it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string_view>

#include "base/result.h"
#include "models/model_config.h"

namespace tessera::models {

struct Architecture {
  std::string_view name;  // as config.json's "architectures" says it
  /// Facts from config.json; errors name field, value and expectation.
  Result<ModelConfig> (*parse)(const nlohmann::json& config);
};

std::span<const Architecture* const> architectures();

/// The config of a model directory, by its first entry of "architectures"; kUnsupported naming it and what is
/// supported.
Result<ModelConfig> parse_model_config(const nlohmann::json& config);

}  // namespace tessera::models
