// A config.json of any origin: parsing, matching names and telling what is unsupported end in an answer or an
// error; what is supported is written back to an object that means the same.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/check.h"
#include "formats/compressed_tensors/config.h"
#include "formats/compressed_tensors/targets.h"
#include "formats/json_limits.h"

namespace {

using namespace tessera::formats;
using namespace tessera::formats::compressed_tensors;

constexpr std::string_view kNames[] = {"lm_head", "model.layers.0.self_attn.q_proj",
                                       "model.layers.1.mlp.experts.7.down_proj"};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto value = parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!value.has_value()) return 0;
  const nlohmann::json* object = find_config(*value);
  const auto config = parse_config(object == nullptr ? *value : *object);
  if (!config.has_value()) return 0;
  const bool supported = unsupported_features(*config).empty();
  for (const Group& group : config->groups) {
    if (supported && group.weights) CHECK(!scheme_of(group).name().empty(), "a group without a scheme");
  }
  const auto matcher = TargetMatcher::create(*config);
  if (!matcher.has_value() || !supported) return 0;

  const auto again = parse_config(to_json(*config));
  CHECK(again.has_value(), "written, but refused: {}", again.error().message());
  const auto matcher_again = TargetMatcher::create(*again);
  CHECK(matcher_again.has_value(), "written, but its targets are refused");
  for (const std::string_view name : kNames) {
    CHECK(matcher->group_of(name, ModuleKind::kLinear) == matcher_again->group_of(name, ModuleKind::kLinear),
          "{}", name);
  }
  return 0;
}
