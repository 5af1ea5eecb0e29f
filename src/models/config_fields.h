// Reading config.json: every number bounded before anything is multiplied with it, every error naming field,
// value and expectation.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "models/model_config.h"

namespace tessera::models {

class ConfigFields {
 public:
  /// `json` outlives this.
  explicit ConfigFields(const nlohmann::json& json) : json_(&json) {}

  /// A required integer within [low, high].
  Result<int32_t> integer(std::string_view name, int64_t low, int64_t high) const;
  /// The same with a default when absent or null.
  Result<int32_t> integer(std::string_view name, int64_t fallback, int64_t low, int64_t high) const;
  Result<double> number(std::string_view name, double fallback) const;
  Result<bool> boolean(std::string_view name, bool fallback) const;
  Result<std::string> text(std::string_view name, std::string_view fallback) const;
  /// A list of integers; empty when absent or null.
  Result<std::vector<int64_t>> integers(std::string_view name) const;
  /// A list of strings; empty when absent or null.
  Result<std::vector<std::string>> texts(std::string_view name) const;
  /// An object member; nullopt when absent or null.
  Result<std::optional<ConfigFields>> object(std::string_view name) const;

 private:
  /// nullptr when absent or null.
  const nlohmann::json* find(std::string_view name) const;
  const nlohmann::json* json_;
};

/// What all Llama-shaped decoders share: sizes, norm, rope, tied embeddings. Refuses what no block here
/// computes.
Result<ModelConfig> parse_decoder(const ConfigFields& fields);

}  // namespace tessera::models
