#include "formats/compressed_tensors/transform_config.h"

#include <algorithm>
#include <array>
#include <utility>

#include "formats/compressed_tensors/json_fields.h"

namespace tessera::formats::compressed_tensors {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 1> kConfigKeys = {"config_groups"};
constexpr std::array<std::string_view, 6> kGroupKeys = {"type",          "apply",    "randomize",
                                                        "requires_grad", "head_dim", "precision"};
constexpr std::array<std::string_view, 4> kUseKeys = {"targets", "location", "inverse", "ignore"};

constexpr std::pair<std::string_view, TransformLocation> kLocations[] = {
    {"input", TransformLocation::kInput},
    {"output", TransformLocation::kOutput},
    {"q_attn", TransformLocation::kQuery},
    {"k_cache", TransformLocation::kKey},
    {"weight_input", TransformLocation::kWeightInput},
    {"weight_output", TransformLocation::kWeightOutput}};

constexpr std::pair<std::string_view, TransformType> kTypes[] = {
    {"hadamard", TransformType::kHadamard},
    {"random-hadamard", TransformType::kRandomHadamard},
    {"random-matrix", TransformType::kRandomMatrix}};

/// The library takes one name for a list of one.
Result<std::vector<std::string>> names(const Fields& fields, std::string_view key) {
  const json* value = fields.find(key);
  if (value != nullptr && value->is_string()) return std::vector<std::string>{value->get<std::string>()};
  return fields.texts(key);
}

Result<TransformUse> parse_use(const json& object, const std::string& where) {
  const Fields fields(object, where);
  TRY_STATUS(fields.only(kUseKeys));
  TransformUse use;
  use.targets = TRY(names(fields, "targets"));
  use.ignore = TRY(names(fields, "ignore"));
  use.inverse = TRY(fields.boolean("inverse", false));
  const std::string location = TRY(fields.text("location", ""));
  const auto* known =
      std::ranges::find_if(kLocations, [&](const auto& entry) { return entry.first == location; });
  if (known == std::end(kLocations))
    return fields.wrong("location", "input, output, q_attn, k_cache, weight_input or weight_output");
  use.location = known->second;
  return use;
}

Result<TransformGroup> parse_group(const std::string& name, const json& object) {
  const Fields fields(object, "quantization_config.transform_config.config_groups." + name);
  TRY_STATUS(fields.only(kGroupKeys));
  TransformGroup group{.name = name};
  const std::string type = TRY(fields.text("type", ""));
  const auto* known = std::ranges::find_if(kTypes, [&](const auto& entry) { return entry.first == type; });
  if (known == std::end(kTypes)) {
    return unsupported("{}={:.60}, expected hadamard, random-hadamard or random-matrix", fields.path("type"),
                       type);
  }
  group.type = known->second;
  group.block_size = TRY(fields.integer("head_dim", 0));
  if (fields.find("head_dim") != nullptr && group.block_size < 1)
    return fields.wrong("head_dim", "1 or more");
  group.permuted = TRY(fields.boolean("randomize", false));
  const json* uses = fields.find("apply");
  if (uses == nullptr) return group;
  if (!uses->is_array()) return fields.wrong("apply", "a list");
  for (size_t i = 0; i < uses->size(); ++i)
    group.uses.push_back(TRY(parse_use(uses->at(i), fmt::format("{}[{}]", fields.path("apply"), i))));
  return group;
}

}  // namespace

std::string_view location_name(TransformLocation location) {
  return std::ranges::find_if(kLocations, [&](const auto& entry) { return entry.second == location; })->first;
}

bool is_online(TransformLocation location) {
  return location != TransformLocation::kWeightInput && location != TransformLocation::kWeightOutput;
}

Result<std::vector<TransformGroup>> parse_transforms(const json& object) {
  std::vector<TransformGroup> groups;
  if (object.is_object() && object.empty()) return groups;
  const Fields fields(object, "quantization_config.transform_config");
  TRY_STATUS(fields.only(kConfigKeys));
  const json* found = fields.find("config_groups");
  if (found == nullptr || !found->is_object()) return fields.wrong("config_groups", "an object of groups");
  for (const auto& [name, value] : found->items())
    groups.push_back(TRY(parse_group(name, value)));
  return groups;
}

json to_json(std::span<const TransformGroup> groups) {
  if (groups.empty()) return json::object();
  json config_groups = json::object();
  for (const TransformGroup& group : groups) {
    json uses = json::array();
    for (const TransformUse& use : group.uses) {
      uses.push_back({{"targets", use.targets},
                      {"location", location_name(use.location)},
                      {"inverse", use.inverse},
                      {"ignore", use.ignore}});
    }
    const auto* const type =
        std::ranges::find(kTypes, group.type, [](const auto& entry) { return entry.second; });
    config_groups[group.name] = {{"type", type->first},
                                 {"apply", std::move(uses)},
                                 {"randomize", group.permuted},
                                 {"requires_grad", false},
                                 {"head_dim", group.block_size == 0 ? json(nullptr) : json(group.block_size)},
                                 {"precision", "torch.float64"}};
  }
  return {{"config_groups", std::move(config_groups)}};
}

}  // namespace tessera::formats::compressed_tensors
