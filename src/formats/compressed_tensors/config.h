// quantization_config of a compressed-tensors checkpoint as a struct, parsed and written. Parsing accepts
// whatever the library's schema accepts, for every number type and format; what this program cannot run is
// told by unsupported_features(), so that all of it is named at once and a file that is malformed is told
// from one that is merely foreign. Plain data, thread-safe.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/compressed_tensors/transform_config.h"
#include "quant/scheme.h"

namespace tessera::formats::compressed_tensors {

/// QuantizationArgs: how one operand (weights, input or output activations) is quantized.
struct QuantArgs {
  int num_bits = 8;
  std::string type = "int";  // "int" | "float"
  bool symmetric = true;
  std::string strategy = {};              // never empty: inferred from group_size when the file leaves it out
  std::optional<int> group_size = {};     // > 0 with strategy group or tensor_group; -1 = channel
  std::string dynamic = "false";          // "false" | "true" | "local"
  std::string actorder = {};              // "" | "group" | "weight"
  int block_rows = 0, block_columns = 0;  // block_structure; > 0 with strategy block
  // observer_kwargs.clip_ratio, ours: a dynamic scale is this part of what reaches the largest value. Other
  // engines read past observer_kwargs.
  float clip_ratio = 1;
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
  std::optional<QuantArgs> kv_cache_scheme = {};
  bool has_sparsity = false;
  std::vector<TransformGroup> transforms = {};
};

/// How the codes of a weight lie in the file. One scale (and zero point) belongs to a block of rows x
/// columns; 0 = all of them: tensor {0, 0}, channel {1, 0}, group {1, size}, block {rows, columns}.
struct WeightCoding {
  int bits = 8;  // 1 to 8
  bool symmetric = true;
  int block_rows = 1, block_columns = 0;
};

/// config.json's "quantization_config" (or its old name "compression_config"), nullptr when it has neither.
const nlohmann::json* find_config(const nlohmann::json& config_json);

/// From that object. kInvalidArgument naming the key, its value and what the library's schema expects.
Result<QuantizationConfig> parse_config(const nlohmann::json& object);

/// The object again, as the library writes it: per-group format, every key that has a default left out.
nlohmann::json to_json(const QuantizationConfig& config);

/// What the file asks for that we cannot run, one phrase each; empty when all of it is supported.
std::vector<std::string> unsupported_features(const QuantizationConfig& config);

/// What it asks for that we do in another way than it says, one sentence each, for the log.
std::vector<std::string> remarks(const QuantizationConfig& config);

/// The scheme of the group's linears: codes of 1 to 4 bits are kept in 4, those of 5 to 8 in 8; FP8 and FP4
/// weights are bf16. CHECKs that the group is supported and has weights.
quant::LinearScheme scheme_of(const Group& group);

/// CHECKs that the group has weights.
WeightCoding coding_of(const Group& group);

/// Presets by the library's name, in any case: "W8A8", "W4A16_ASYM", "FP8_BLOCK", "NVFP4" ... nullopt for
/// others.
std::optional<Group> preset(std::string_view name);
/// All of them but INT8, another name of W8A8.
std::vector<std::string> preset_names();

/// Names of "format" that we read.
std::span<const std::string_view> storage_formats();

}  // namespace tessera::formats::compressed_tensors
