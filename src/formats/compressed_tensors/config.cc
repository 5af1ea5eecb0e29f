#include "formats/compressed_tensors/config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "formats/compressed_tensors/json_fields.h"

namespace tessera::formats::compressed_tensors {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 12> kArgsKeys = {
    "num_bits", "type",     "symmetric", "strategy",        "group_size",  "block_structure",
    "dynamic",  "actorder", "observer",  "observer_kwargs", "scale_dtype", "zp_dtype"};
constexpr std::array<std::string_view, 5> kGroupKeys = {"targets", "weights", "input_activations",
                                                        "output_activations", "format"};
constexpr std::array<std::string_view, 7> kStrategies = {"tensor", "channel",      "group",    "block",
                                                         "token",  "tensor_group", "attn_head"};

/// bool or "local".
Result<std::string> parse_dynamic(const Fields& fields) {
  const json* value = fields.find("dynamic");
  if (value == nullptr) return std::string("false");
  if (value->is_boolean()) return std::string(value->get<bool>() ? "true" : "false");
  if (*value == "local") return std::string("local");
  return fields.wrong("dynamic", "true, false or \"local\"");
}

/// bool or a name; "dynamic" and "static" are aliases.
Result<std::string> parse_actorder(const Fields& fields) {
  const json* value = fields.find("actorder");
  if (value == nullptr || *value == false) return std::string();
  if (*value == true || *value == "group" || *value == "dynamic") return std::string("group");
  if (*value == "weight" || *value == "static") return std::string("weight");
  return fields.wrong("actorder", "null, a boolean, \"group\", \"weight\", \"dynamic\" or \"static\"");
}

/// The library's rule for files that leave the strategy out.
std::string inferred_strategy(const std::optional<int>& group_size) {
  if (!group_size) return "tensor";
  return *group_size == -1 ? "channel" : "group";
}

/// [rows, columns], or "128x128" in old files. 0, 0 when absent.
Status parse_block(const Fields& fields, QuantArgs& args) {
  const json* value = fields.find("block_structure");
  if (value == nullptr) return {};
  const auto fits = [](int64_t size) { return size >= 1 && size <= 65536; };
  if (value->is_array() && value->size() == 2 && value->at(0).is_number_integer() &&
      value->at(1).is_number_integer() && fits(value->at(0)) && fits(value->at(1))) {
    args.block_rows = value->at(0);
    args.block_columns = value->at(1);
    return {};
  }
  if (value->is_string()) {
    const auto text = value->get<std::string>();
    const char* end = text.data() + text.size();
    const auto rows = std::from_chars(text.data(), end, args.block_rows);
    if (rows.ec == std::errc() && rows.ptr != end && *rows.ptr == 'x') {
      const auto columns = std::from_chars(rows.ptr + 1, end, args.block_columns);
      if (columns.ec == std::errc() && columns.ptr == end && fits(args.block_rows) &&
          fits(args.block_columns))
        return {};
    }
  }
  return fields.wrong("block_structure", "[rows, columns] of 1 to 65536");
}

/// Of a checkpoint that `tessera quantize --activation-clip` wrote; the library keeps these keys free.
Result<float> parse_clip_ratio(const Fields& fields) {
  const json* kwargs = fields.find("observer_kwargs");
  if (kwargs == nullptr || !kwargs->is_object() || !kwargs->contains("clip_ratio")) return 1.0F;
  const json& ratio = kwargs->at("clip_ratio");
  if (!ratio.is_number() || !(ratio.get<float>() > 0) || ratio.get<float>() > 1)
    return fields.wrong("observer_kwargs", "a clip_ratio above 0 and up to 1");
  return ratio.get<float>();
}

Status check_args(const Fields& fields, const QuantArgs& args) {
  if (args.type != "int" && args.type != "float") return fields.wrong("type", "\"int\" or \"float\"");
  if (args.num_bits < 1 || args.num_bits > 32) return fields.wrong("num_bits", "1 to 32");
  if (std::ranges::find(kStrategies, args.strategy) == kStrategies.end()) {
    return fields.wrong("strategy", "tensor, channel, group, block, token, tensor_group or attn_head");
  }
  const bool grouped = args.strategy == "group" || args.strategy == "tensor_group";
  const int size = args.group_size.value_or(0);
  if (size < -1) return fields.wrong("group_size", "-1 or more");
  if (grouped && size <= 0)
    return fields.wrong("group_size", "a positive number with strategy " + args.strategy);
  if (!grouped && size > 0) return fields.wrong("group_size", "null with strategy " + args.strategy);
  if (args.strategy == "block" && args.block_rows == 0)
    return fields.wrong("block_structure", "[rows, columns] with strategy block");
  if (args.strategy == "token" && args.dynamic != "true")
    return fields.wrong("dynamic", "true with strategy token");
  return {};
}

Result<QuantArgs> parse_args(const json& object, const std::string& where) {
  const Fields fields(object, where);
  TRY_STATUS(fields.only(kArgsKeys));
  QuantArgs args;
  args.num_bits = TRY(fields.integer("num_bits", 8));
  args.type = TRY(fields.text("type", "int"));
  std::ranges::transform(args.type, args.type.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  args.symmetric = TRY(fields.boolean("symmetric", true));
  if (fields.find("group_size") != nullptr) args.group_size = TRY(fields.integer("group_size", 0));
  args.strategy = TRY(fields.text("strategy", inferred_strategy(args.group_size)));
  args.dynamic = TRY(parse_dynamic(fields));
  args.actorder = TRY(parse_actorder(fields));
  TRY_STATUS(parse_block(fields, args));
  args.clip_ratio = TRY(parse_clip_ratio(fields));
  TRY_STATUS(check_args(fields, args));
  return args;
}

Result<std::optional<QuantArgs>> parse_optional_args(const Fields& fields, std::string_view key) {
  const json* value = fields.find(key);
  if (value == nullptr) return std::optional<QuantArgs>();
  return std::optional<QuantArgs>(TRY(parse_args(*value, fields.path(key))));
}

Result<Group> parse_full_group(const json& object, const std::string& where,
                               const std::string& default_format) {
  const Fields fields(object, where);
  TRY_STATUS(fields.only(kGroupKeys));
  Group group;
  group.targets = TRY(fields.texts("targets"));
  if (group.targets.empty())
    return fields.wrong("targets", "a list of at least one module name, re:REGEX or class");
  group.weights = TRY(parse_optional_args(fields, "weights"));
  group.input_activations = TRY(parse_optional_args(fields, "input_activations"));
  group.output_activations = TRY(parse_optional_args(fields, "output_activations"));
  group.format = TRY(fields.text("format", default_format));
  if (fields.find("format") != nullptr && group.format == "mixed-precision") {
    return fields.wrong("format", "the format of one group");
  }
  return group;
}

/// Both forms: {"group_0": {...}} and {"W8A8": ["Linear"]}.
Result<Group> parse_group(const std::string& name, const json& value, const std::string& default_format) {
  const std::string where = fmt::format("quantization_config.config_groups.{}", name);
  if (!value.is_array()) {
    Group group = TRY(parse_full_group(value, where, default_format));
    group.name = name;
    return group;
  }
  auto group = preset(name);
  if (!group)
    return invalid_argument(
        "{}: a list of targets needs a preset's name, expected W8A8, W4A16, W4A16_ASYM, FP8, NVFP4, MXFP4 or "
        "another of the library's",
        where);
  group->name = name;
  group->targets = TRY(Fields::text_list(value, where));
  if (group->targets.empty())
    return invalid_argument("{}=[], expected at least one module name, re:REGEX or class", where);
  group->format = default_format;
  return *std::move(group);
}

json args_to_json(const std::optional<QuantArgs>& args) {
  if (!args) return nullptr;
  json object = {{"num_bits", args->num_bits},
                 {"type", args->type},
                 {"symmetric", args->symmetric},
                 {"strategy", args->strategy},
                 {"group_size", args->group_size ? json(*args->group_size) : json(nullptr)}};
  object["dynamic"] = args->dynamic == "local" ? json("local") : json(args->dynamic == "true");
  if (args->clip_ratio != 1) object["observer_kwargs"] = {{"clip_ratio", args->clip_ratio}};
  if (!args->actorder.empty()) object["actorder"] = args->actorder;
  if (args->block_rows != 0) object["block_structure"] = {args->block_rows, args->block_columns};
  return object;
}

/// Old files of models that are not sparse say so: {"format": "dense"}.
bool is_dense(const json& sparsity) {
  const auto format = sparsity.find("format");
  return format != sparsity.end() && *format == "dense";
}

/// A non-empty object.
Result<bool> is_present(const Fields& fields, std::string_view key) {
  const json* value = fields.find(key);
  if (value == nullptr) return false;
  if (!value->is_object()) return fields.wrong(key, "an object or null");
  return !value->empty();
}

}  // namespace

const json* find_config(const json& config_json) {
  if (!config_json.is_object()) return nullptr;
  for (const char* key : {"quantization_config", "compression_config"}) {
    const auto found = config_json.find(key);
    if (found != config_json.end() && !found->is_null()) return &*found;
  }
  return nullptr;
}

Result<QuantizationConfig> parse_config(const json& object) {
  const Fields fields(object, "quantization_config");
  TRY_STATUS(fields.check_object());
  QuantizationConfig config;
  config.format = TRY(fields.text("format", "fakequant"));
  config.version = TRY(fields.text("version", ""));
  if (fields.find("ignore") != nullptr) config.ignore = TRY(fields.texts("ignore"));
  config.kv_cache_scheme = TRY(parse_optional_args(fields, "kv_cache_scheme"));
  config.has_sparsity =
      TRY(is_present(fields, "sparsity_config")) && !is_dense(*fields.find("sparsity_config"));
  if (const json* transforms = fields.find("transform_config"))
    config.transforms = TRY(parse_transforms(*transforms));
  const json* groups = fields.find("config_groups");
  // Rotated and not quantized: the library writes the transforms alone.
  if (groups == nullptr && !config.transforms.empty()) return config;
  if (groups == nullptr || !groups->is_object()) return fields.wrong("config_groups", "an object of groups");
  for (const auto& [name, value] : groups->items()) {
    config.groups.push_back(TRY(parse_group(name, value, config.format)));
  }
  return config;
}

json to_json(const QuantizationConfig& config) {
  json groups = json::object();
  for (const Group& group : config.groups) {
    groups[group.name] = {{"targets", group.targets},
                          {"format", group.format},
                          {"weights", args_to_json(group.weights)},
                          {"input_activations", args_to_json(group.input_activations)},
                          {"output_activations", args_to_json(group.output_activations)}};
  }
  return {{"quant_method", "compressed-tensors"},
          {"version", config.version},
          {"format", config.format},
          {"quantization_status", "compressed"},
          {"global_compression_ratio", nullptr},
          {"kv_cache_scheme", args_to_json(config.kv_cache_scheme)},
          {"sparsity_config", json::object()},
          {"transform_config", to_json(config.transforms)},
          {"ignore", config.ignore},
          {"config_groups", std::move(groups)}};
}

}  // namespace tessera::formats::compressed_tensors
