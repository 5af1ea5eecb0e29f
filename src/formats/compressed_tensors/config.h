// quantization_config of a compressed-tensors checkpoint as a struct, parsed and written. Parsing accepts
// whatever the library's schema accepts, for every number type and format; what this program cannot run is
// told by unsupported_features(), so that all of it is named at once and a file that is malformed is told
// from one that is merely foreign. Plain data, thread-safe.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "quant/scheme.h"

namespace tessera::formats::compressed_tensors {

/// QuantizationArgs: how one operand (weights, input or output activations) is quantized.
struct QuantArgs {
  int num_bits = 8;
  std::string type = "int";  // "int" | "float"
  bool symmetric = true;
  std::string strategy = {};           // never empty: inferred from group_size when the file leaves it out
  std::optional<int> group_size = {};  // > 0 with strategy group or tensor_group; -1 = channel
  std::string dynamic = "false";       // "false" | "true" | "local"
  std::string actorder = {};           // "" | "group" | "weight"
  bool operator==(const QuantArgs&) const = default;
};

/// QuantizationScheme: one of config_groups.
struct Group {
  std::string name;
  std::vector<std::string> targets;
  std::optional<QuantArgs> weights = {}, input_activations = {}, output_activations = {};
  std::string format = {};  // the top-level one when the group has none
};

struct QuantizationConfig {
  std::string format;  // "int-quantized", "pack-quantized", "dense", "mixed-precision", ...
  std::string version;
  std::vector<Group> groups;  // in the file's order of names
  std::vector<std::string> ignore;
  bool has_kv_cache_scheme = false, has_sparsity = false, has_transforms = false;
};

/// config.json's "quantization_config" (or its old name "compression_config"), nullptr when it has neither.
const nlohmann::json* find_config(const nlohmann::json& config_json);

/// From that object. kInvalidArgument naming the key, its value and what the library's schema expects.
Result<QuantizationConfig> parse_config(const nlohmann::json& object);

/// The object again, as the library writes it: per-group format, every key that has a default left out.
nlohmann::json to_json(const QuantizationConfig& config);

/// What the file asks for that we cannot run, one phrase each; empty when all of it is supported.
std::vector<std::string> unsupported_features(const QuantizationConfig& config);

/// The scheme of the group's linears. CHECKs that the group is supported and has weights.
quant::LinearScheme scheme_of(const Group& group);

/// Presets by the library's name: "W8A8", "INT8", "W4A4", "W4A8", "W4A16", "W8A16". nullopt for others.
std::optional<Group> preset(std::string_view name);

}  // namespace tessera::formats::compressed_tensors
