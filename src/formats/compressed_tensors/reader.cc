#include "formats/compressed_tensors/reader.h"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/log.h"
#include "formats/compressed_tensors/cache_scales.h"
#include "formats/compressed_tensors/config.h"
#include "formats/compressed_tensors/decode.h"
#include "formats/compressed_tensors/module.h"
#include "formats/compressed_tensors/targets.h"
#include "formats/compressed_tensors/transforms.h"
#include "formats/float_weights.h"

namespace tessera::formats::compressed_tensors {
namespace {

using quant::LinearData;
using quant::LinearScheme;

class Reader final : public WeightReader {
 public:
  Reader(const TensorSource& source, QuantizationConfig config, TargetMatcher matcher,
         std::unique_ptr<const Transforms> transforms, std::string attention_class)
      : source_(source),
        config_(std::move(config)),
        matcher_(std::move(matcher)),
        transforms_(std::move(transforms)),
        attention_class_(std::move(attention_class)) {}

  std::string_view format_name() const override { return kFormat.name; }

  Result<LinearScheme> scheme(std::string_view name, ModuleKind kind) const override {
    return scheme(name, kind, find_module(source_, name));
  }

  std::vector<std::string> tensor_names(std::string_view name, ModuleKind /*kind*/) const override {
    auto names = find_module(source_, name).names();
    if (config_.kv_cache_scheme)
      std::ranges::move(cache_tensor_names(source_, name), std::back_inserter(names));
    std::ranges::move(transforms_->tensor_names(input_of(name)), std::back_inserter(names));
    std::ranges::move(transforms_->tensor_names(output_of(name)), std::back_inserter(names));
    return names;
  }

  std::optional<Shape> linear_shape(std::string_view name) const override {
    const Module module = find_module(source_, name);
    if (!module.fours() || module.weight->shape.rank() != 2) return std::nullopt;
    return Shape{module.weight->shape[0], 2 * module.weight->shape[1]};
  }

  Status check(std::string_view name, int64_t out, int64_t in) const override {
    const Module module = find_module(source_, name);
    const LinearScheme linear = TRY(scheme(name, ModuleKind::kLinear, module));
    return check(name, module, linear, out, in);
  }

  Result<LinearData> read(std::string_view name, int64_t out, int64_t in) const override {
    const Module module = find_module(source_, name);
    const LinearScheme linear = TRY(scheme(name, ModuleKind::kLinear, module));
    TRY_STATUS(check(name, module, linear, out, in));
    LinearData data = module.stored == Stored::kFloat ? TRY(read_float_linear(source_, name, out, in))
                                                      : TRY(decode(name, module, linear, out, in));
    // Columns that were put into another order are columns of what the transform gives.
    auto input = TRY(transforms_->steps(input_of(name), in));
    std::ranges::move(data.transform, std::back_inserter(input));
    data.transform = std::move(input);
    data.output_transform = TRY(transforms_->steps(output_of(name), out));
    data.scheme.transformed = !data.transform.empty() || !data.output_transform.empty();
    return data;
  }

  std::vector<std::string> attention_tensor_names(std::string_view name) const override {
    auto names = transforms_->tensor_names(queries_of(name));
    std::ranges::move(transforms_->tensor_names(keys_of(name)), std::back_inserter(names));
    return names;
  }

  Status check_attention(std::string_view name, const AttentionHeads& heads) const override {
    auto misfits = transforms_->misfits(queries_of(name), heads.dim);
    std::ranges::move(transforms_->misfits(keys_of(name), heads.dim), std::back_inserter(misfits));
    std::ranges::move(cache_misfits(source_, config_.kv_cache_scheme, name, heads.key),
                      std::back_inserter(misfits));
    return misfits_to_status(name, misfits);
  }

  Result<quant::AttentionData> read_attention(std::string_view name,
                                              const AttentionHeads& heads) const override {
    TRY_STATUS(check_attention(name, heads));
    quant::AttentionData data;
    data.query_transform = TRY(transforms_->steps(queries_of(name), heads.dim, heads.query));
    data.key_transform = TRY(transforms_->steps(keys_of(name), heads.dim, heads.key));
    TRY_STATUS(read_cache_scales(source_, config_.kv_cache_scheme, name, heads.key, data));
    return data;
  }

 private:
  /// transformers' routers are no Linear, so a target of that name does not mean them.
  static std::string_view class_of(std::string_view name) { return name.ends_with(".gate") ? "" : "Linear"; }
  static TransformSite input_of(std::string_view name) {
    return {name, class_of(name), TransformLocation::kInput};
  }
  static TransformSite output_of(std::string_view name) {
    return {name, class_of(name), TransformLocation::kOutput};
  }
  TransformSite queries_of(std::string_view name) const {
    return {name, attention_class_, TransformLocation::kQuery};
  }
  TransformSite keys_of(std::string_view name) const {
    return {name, attention_class_, TransformLocation::kKey};
  }

  /// The group that says how the module's weights are quantized; nullptr = none.
  const Group* group_of(std::string_view name, ModuleKind kind) const;
  /// As the group has it where that speaks of the kind of weights that are there, else as the tensors do.
  WeightCoding coding(std::string_view name, const Module& module) const;
  Result<LinearScheme> scheme(std::string_view name, ModuleKind kind, const Module& module) const;
  Result<LinearScheme> weight_scheme(std::string_view name, ModuleKind kind, const Module& module) const;
  static Result<LinearScheme> scheme_from_tensors(std::string_view name, const Module& module);
  Status check(std::string_view name, const Module& module, const LinearScheme& scheme, int64_t out,
               int64_t in) const;
  Status check_shape_tensor(const Module& module, int64_t out, int64_t in) const;
  Result<LinearData> decode(std::string_view name, const Module& module, const LinearScheme& scheme,
                            int64_t out, int64_t in) const;
  void warn_disagreement(std::string_view name, std::string_view config_says,
                         std::string_view tensors_say) const;

  const TensorSource& source_;
  QuantizationConfig config_;
  TargetMatcher matcher_;
  std::unique_ptr<const Transforms> transforms_;
  std::string attention_class_;
  mutable std::atomic<bool> warned_{false};
};

void Reader::warn_disagreement(std::string_view name, std::string_view config_says,
                               std::string_view tensors_say) const {
  if (warned_.exchange(true)) return;  // a wrong config is wrong for every layer: one line is enough
  LOG_WARN("{}: quantization_config says {}, its tensors are {}: following the tensors (said once)", name,
           config_says, tensors_say);
}

const Group* Reader::group_of(std::string_view name, ModuleKind kind) const {
  const auto index = matcher_.group_of(name, kind);
  const Group* group = index ? &config_.groups[*index] : nullptr;
  return group != nullptr && group->weights && group->format != "dense" ? group : nullptr;
}

WeightCoding Reader::coding(std::string_view name, const Module& module) const {
  const Group* group = group_of(name, ModuleKind::kLinear);
  if (group == nullptr || (group->weights->type == "int") != module.integers())
    return coding_from_tensors(module);
  WeightCoding coding = coding_of(*group);
  if (module.small_floats()) coding.bits = module.fours() ? 4 : 8;
  return coding;
}

Result<LinearScheme> Reader::scheme_from_tensors(std::string_view name, const Module& module) {
  if (module.stored == Stored::kPacked) {
    return unsupported(
        "{}: weight_packed, but no config group of integers matches it, so its bits are unknown", name);
  }
  LinearScheme scheme;
  if (module.small_floats()) return scheme;
  const WeightCoding coding = coding_from_tensors(module);
  scheme.weight = {.bits = 8, .group_size = coding.block_columns, .symmetric = coding.symmetric};
  return scheme;
}

Result<LinearScheme> Reader::scheme(std::string_view name, ModuleKind kind, const Module& module) const {
  LinearScheme scheme = TRY(weight_scheme(name, kind, module));
  if (transforms_->any(input_of(name)) || transforms_->any(output_of(name))) scheme.transformed = true;
  return scheme;
}

Result<LinearScheme> Reader::weight_scheme(std::string_view name, ModuleKind kind,
                                           const Module& module) const {
  const Group* group = group_of(name, kind);
  if (module.stored == Stored::kAbsent)
    return not_found("{}: neither weight nor weight_packed is in the checkpoint", name);
  if (module.stored == Stored::kForeign) {
    return unsupported(
        "{}: {}, expected weight in I8, F8_E4M3, F32, F16 or BF16, or weight_packed in I32 or U8 with its "
        "scales",
        name, module.foreign);
  }
  if (module.stored == Stored::kFloat) {
    if (group != nullptr) warn_disagreement(name, scheme_of(*group).name(), dtype_name(module.weight->dtype));
    return float_scheme(module.weight->dtype);
  }
  if (kind == ModuleKind::kEmbedding)
    return unsupported("{}: a quantized embedding, expected F32, F16 or BF16", name);
  if (group == nullptr || (group->weights->type == "int") != module.integers()) {
    const LinearScheme scheme = TRY(scheme_from_tensors(name, module));
    warn_disagreement(name, group == nullptr ? "not quantized" : scheme_of(*group).name(),
                      dtype_name(module.weight->dtype));
    return scheme;
  }
  LinearScheme scheme = scheme_of(*group);
  scheme.transformed = module.integers() && module.group_index != nullptr;
  return scheme;
}

Status Reader::check(std::string_view name, const Module& module, const LinearScheme& scheme, int64_t out,
                     int64_t in) const {
  std::vector<std::string> misfits;
  if (module.stored == Stored::kFloat) {
    misfits = float_linear_misfits(source_, name, out, in);
  } else {
    misfits = quantized_misfits(module, coding(name, module), scheme, out, in);
    append_bias_misfits(source_, name, out, misfits);
  }
  std::ranges::move(transforms_->misfits(input_of(name), in), std::back_inserter(misfits));
  std::ranges::move(transforms_->misfits(output_of(name), out), std::back_inserter(misfits));
  return misfits_to_status(name, misfits);
}

Result<LinearData> Reader::decode(std::string_view name, const Module& module, const LinearScheme& scheme,
                                  int64_t out, int64_t in) const {
  LinearData data;
  data.scheme = scheme;
  data.out = out;
  data.in = in;
  TRY_STATUS(check_shape_tensor(module, out, in));
  const Stock stock{source_, module, in_numbers(coding(name, module), out, in), out, in};
  if (module.small_floats()) {
    data.values = TRY(decode_floats(stock));
  } else {
    TRY_STATUS(decode_integers(stock, data));
  }
  if (scheme.activation.is_static)
    data.input = TRY(read_static_input(source_, module, scheme.activation.bits));
  data.bias = TRY(read_bias(source_, name));
  return data;
}

Status Reader::check_shape_tensor(const Module& module, int64_t out, int64_t in) const {
  if (module.shape == nullptr) return {};
  const Tensor shape = TRY(source_.read(module.shape->name));
  const auto dims = shape.as<int64_t>();
  if (dims[0] == out && dims[1] == in) return {};
  return data_corrupt("{} = [{}, {}], expected [{}, {}]", module.shape->name, dims[0], dims[1], out, in);
}

bool matches(const nlohmann::json& config, const std::string& /*directory*/) {
  const nlohmann::json* found = find_config(config);
  if (found == nullptr || !found->is_object()) return false;
  const auto method = found->find("quant_method");
  // The oldest files (key compression_config) have no quant_method; transformers requires it under the new
  // name.
  if (method == found->end())
    return config.contains("compression_config") && found->contains("config_groups");
  return *method == "compressed-tensors";
}

/// "Qwen3ForCausalLM" -> "Qwen3Attention": transformers' class of the attention modules.
std::string attention_class(const nlohmann::json& config) {
  const auto names = config.find("architectures");
  if (names == config.end() || !names->is_array() || names->empty() || !names->front().is_string()) return {};
  const auto name = names->front().get<std::string>();
  return name.substr(0, name.find("For")) + "Attention";
}

/// Online transforms of modules that are not read as linears.
Status check_embeddings(const Transforms& transforms, const TensorSource& source) {
  for (const TransformLocation location : {TransformLocation::kInput, TransformLocation::kOutput}) {
    if (transforms.any({"model.embed_tokens", "Embedding", location})) {
      return unsupported("config.json: an online transform of model.embed_tokens, expected it to be fused");
    }
    const bool tied =
        source.find("lm_head.weight") == nullptr && source.find("lm_head.weight_packed") == nullptr;
    if (tied && transforms.any({"lm_head", "Linear", location})) {
      return unsupported(
          "config.json: an online transform of lm_head, which is tied to the embeddings, expected tensors of "
          "its own");
    }
  }
  return {};
}

/// By the library's presets; other groups, granularities and widths differ in nothing else.
std::vector<StoredScheme> stored_schemes() {
  std::vector<StoredScheme> schemes;
  for (const std::string& name : preset_names()) {
    const auto group = preset(name);
    CHECK(group.has_value(), "{}", name);
    schemes.push_back({name, scheme_of(*group)});
  }
  return schemes;
}

}  // namespace

const WeightFormat kFormat{
    .name = "compressed-tensors", .matches = matches, .open = open_reader, .stored_schemes = stored_schemes};

Result<std::unique_ptr<WeightReader>> open_reader(const nlohmann::json& config, const std::string& directory,
                                                  const TensorSource& source) {
  const nlohmann::json* object = find_config(config);
  if (object == nullptr) return not_found("{}/config.json: no quantization_config", directory);
  auto parsed = TRY(parse_config(*object).context("config.json"));
  const auto problems = unsupported_features(parsed);
  if (!problems.empty()) {
    return unsupported(
        "config.json: quantization_config has {}, which is not supported; expected weights of 1 to 8 bits, "
        "FP8, "
        "NVFP4, MXFP4 or MXFP8, static, and inputs in int8 or int4, dynamic per token or group or static per "
        "tensor, or not quantized",
        fmt::join(problems, "; "));
  }
  for (const std::string& remark : remarks(parsed))
    LOG_INFO("compressed-tensors: {}", remark);
  auto matcher = TRY(TargetMatcher::create(parsed).context("config.json"));
  auto transforms = TRY(Transforms::create(parsed.transforms, source).context("config.json"));
  TRY_STATUS(check_embeddings(*transforms, source));
  return std::unique_ptr<WeightReader>(std::make_unique<Reader>(
      source, std::move(parsed), std::move(matcher), std::move(transforms), attention_class(config)));
}

}  // namespace tessera::formats::compressed_tensors
