// transform_config of a compressed-tensors checkpoint as a struct. Plain data, thread-safe.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tessera::formats::compressed_tensors {

/// Where a transform acts. Those on weights were multiplied into them by whoever made the file.
enum class TransformLocation : uint8_t { kInput, kOutput, kQuery, kKey, kWeightInput, kWeightOutput };

/// As the format says it: "input", "q_attn" ...
std::string_view location_name(TransformLocation location);
bool is_online(TransformLocation location);

enum class TransformType : uint8_t { kHadamard, kRandomHadamard, kRandomMatrix };

/// TransformArgs: on which modules.
struct TransformUse {
  std::vector<std::string> targets, ignore;
  TransformLocation location = TransformLocation::kInput;
  bool inverse = false;
};

/// TransformScheme: one of transform_config's config_groups.
struct TransformGroup {
  std::string name;
  TransformType type = TransformType::kHadamard;
  int block_size = 0;  // "head_dim"; 0 = the width of what it acts on
  bool permuted = false;
  std::vector<TransformUse> uses = {};
};

/// The groups in that object, which may be empty. kInvalidArgument naming the key, its value and what the
/// library's schema expects; kUnsupported naming a type of transform that the library did not have.
Result<std::vector<TransformGroup>> parse_transforms(const nlohmann::json& object);

/// The object that parse_transforms() reads.
nlohmann::json to_json(std::span<const TransformGroup> groups);

}  // namespace tessera::formats::compressed_tensors
