#include "formats/gptq/config.h"

#include <algorithm>

#include "formats/compressed_tensors/json_fields.h"
#include "formats/gptq/format.h"

namespace tessera::formats::gptq {
namespace {

using compressed_tensors::Fields;
using nlohmann::json;

/// "gptq" or "gptq_v2"; older files have neither key, GPTQModel's newer ones the second.
Result<std::string> checkpoint_format(const Fields& fields, std::vector<std::string>& problems) {
  const char* key = fields.find("checkpoint_format") != nullptr ? "checkpoint_format" : "format";
  auto format = TRY(fields.text(key, "gptq"));
  if (TRY(fields.boolean("is_marlin_format", false))) format = "marlin";
  if (format != "gptq" && format != "gptq_v2") problems.push_back(fmt::format("{}=\"{:.80}\"", key, format));
  return format;
}

/// Of the whole checkpoint, or of the modules that a pattern of `dynamic` matches.
Status append_problems(const Fields& fields, std::vector<std::string>& problems) {
  const int bits = TRY(fields.integer("bits", 4));
  if (std::ranges::find(kWidths, bits) == kWidths.end())
    problems.push_back(fmt::format("{}={}", fields.path("bits"), bits));
  const auto dtype = TRY(fields.text("pack_dtype", "int32"));
  if (dtype != "int32") problems.push_back(fmt::format("{}=\"{:.80}\"", fields.path("pack_dtype"), dtype));
  for (const char* key : {"adapter", "rotation", "lora"}) {
    if (fields.find(key) != nullptr) problems.push_back(fields.path(key));
  }
  return {};
}

Status append_dynamic_problems(const Fields& fields, std::vector<std::string>& problems) {
  const json* dynamic = fields.find("dynamic");
  if (dynamic == nullptr) return {};
  if (!dynamic->is_object()) return fields.wrong("dynamic", "an object of patterns");
  for (const auto& [pattern, overrides] : dynamic->items()) {
    const Fields one(overrides, fmt::format("{}.{:.100}", fields.path("dynamic"), pattern));
    if (overrides.is_null() || overrides.is_boolean()) continue;  // left in float
    TRY_STATUS(one.check_object());
    TRY_STATUS(append_problems(one, problems));
  }
  return {};
}

}  // namespace

Result<Layout> parse_config(const Description& description) {
  const Fields fields(description.fields, description.where);
  Layout layout{.format = kFormat.name};
  std::vector<std::string> problems;
  layout.zeros_less_one = TRY(checkpoint_format(fields, problems)) == "gptq";
  layout.bits = TRY(fields.integer("bits", 4));
  const int group_size = TRY(fields.integer("group_size", -1));
  if (group_size < -1 || group_size == 0) return fields.wrong("group_size", "-1 or a positive number");
  layout.group_size = std::max(0, group_size);
  layout.ordered = TRY(fields.boolean("desc_act", false));
  TRY(fields.boolean("sym", true));
  if (TRY(fields.integer("act_bits", 16)) < 16) problems.push_back(fields.path("act_bits"));
  TRY_STATUS(append_problems(fields, problems));
  TRY_STATUS(append_dynamic_problems(fields, problems));
  if (problems.empty()) return layout;
  return unsupported(
      "{} has {}, which is not supported; expected checkpoint_format \"gptq\" or \"gptq_v2\", bits 2, 3, 4 "
      "or 8 in words of "
      "int32, no adapter and no rotation",
      description.where, fmt::join(problems, "; "));
}

}  // namespace tessera::formats::gptq
