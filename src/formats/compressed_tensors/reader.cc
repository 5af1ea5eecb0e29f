#include "formats/compressed_tensors/reader.h"

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "formats/compressed_tensors/config.h"
#include "formats/compressed_tensors/module.h"
#include "formats/compressed_tensors/targets.h"
#include "formats/float_weights.h"
#include "quant/bit_packing.h"
#include "quant/integer_codes.h"

namespace tessera::formats::compressed_tensors {
namespace {

using quant::LinearData;
using quant::LinearScheme;

class Reader final : public WeightReader {
 public:
  Reader(const TensorSource& source, QuantizationConfig config, TargetMatcher matcher)
      : source_(source), config_(std::move(config)), matcher_(std::move(matcher)) {}

  std::string_view format_name() const override { return kFormat.name; }

  Result<LinearScheme> scheme(std::string_view name, ModuleKind kind) const override {
    return scheme(name, kind, find_module(source_, name));
  }

  std::vector<std::string> tensor_names(std::string_view name, ModuleKind /*kind*/) const override {
    return find_module(source_, name).names();
  }

  Status check(std::string_view name, int64_t out, int64_t in) const override {
    const Module module = find_module(source_, name);
    const LinearScheme linear = TRY(scheme(name, ModuleKind::kLinear, module));
    return check(name, module, linear, out, in);
  }

  Result<LinearData> read(std::string_view name, int64_t out, int64_t in) const override {
    const Module module = find_module(source_, name);
    LinearData data;
    data.scheme = TRY(scheme(name, ModuleKind::kLinear, module));
    TRY_STATUS(check(name, module, data.scheme, out, in));
    if (!module.quantized()) return read_float_linear(source_, name, out, in);
    data.out = out;
    data.in = in;
    TRY_STATUS(check_shape_tensor(module, out, in));
    TRY_STATUS(check_zero_points(module));
    data.scales = TRY(read_scales(*module.scale));
    data.values = TRY(module.stored == Stored::kPacked ? read_packed(*module.weight, data)
                                                       : read_codes(*module.weight, data));
    data.bias = TRY(read_bias(source_, name));
    return data;
  }

 private:
  Result<LinearScheme> scheme(std::string_view name, ModuleKind kind, const Module& module) const;
  static Result<LinearScheme> scheme_from_tensors(std::string_view name, const Module& module);
  Status check(std::string_view name, const Module& module, const LinearScheme& scheme, int64_t out,
               int64_t in) const;
  Status check_shape_tensor(const Module& module, int64_t out, int64_t in) const;
  Status check_zero_points(const Module& module) const;
  Result<std::vector<float>> read_scales(const TensorInfo& info) const;
  Result<Tensor> read_codes(const TensorInfo& info, const LinearData& data) const;
  Result<Tensor> read_packed(const TensorInfo& info, const LinearData& data) const;
  void warn_disagreement(std::string_view name, std::string_view config_says,
                         std::string_view tensors_say) const;

  const TensorSource& source_;
  QuantizationConfig config_;
  TargetMatcher matcher_;
  mutable std::atomic<bool> warned_{false};
};

void Reader::warn_disagreement(std::string_view name, std::string_view config_says,
                               std::string_view tensors_say) const {
  if (warned_.exchange(true)) return;  // a wrong config is wrong for every layer: one line is enough
  LOG_WARN("{}: quantization_config says {}, its tensors are {}: following the tensors (said once)", name,
           config_says, tensors_say);
}

Result<LinearScheme> Reader::scheme_from_tensors(std::string_view name, const Module& module) {
  if (module.stored == Stored::kPacked) {
    return unsupported("{}: weight_packed, but no config group matches it, so its bits are unknown", name);
  }
  LinearScheme scheme;
  scheme.weight.bits = 8;
  const bool has_groups =
      module.scale != nullptr && module.scale->shape.rank() == 2 && module.weight->shape.rank() == 2;
  const int64_t groups = has_groups ? module.scale->shape[1] : 1;
  if (groups > 1) scheme.weight.group_size = static_cast<int>(module.weight->shape[1] / groups);
  return scheme;
}

Result<LinearScheme> Reader::scheme(std::string_view name, ModuleKind kind, const Module& module) const {
  const auto index = matcher_.group_of(name, kind);
  const Group* group = index ? &config_.groups[*index] : nullptr;
  const bool config_quantizes = group != nullptr && group->weights && group->format != "dense";
  switch (module.stored) {
    case Stored::kAbsent:
      return not_found("{}: neither weight nor weight_packed is in the checkpoint", name);
    case Stored::kForeign:
      return unsupported("{}: {}, expected weight in I8, F32, F16 or BF16, or weight_packed in I32", name,
                         module.foreign);
    case Stored::kFloat:
      if (config_quantizes)
        warn_disagreement(name, scheme_of(*group).name(), dtype_name(module.weight->dtype));
      return float_scheme(module.weight->dtype);
    case Stored::kInteger:
    case Stored::kPacked:
      break;
  }
  if (kind == ModuleKind::kEmbedding)
    return unsupported("{}: a quantized embedding, expected F32, F16 or BF16", name);
  if (config_quantizes) return scheme_of(*group);
  const LinearScheme scheme = TRY(scheme_from_tensors(name, module));
  warn_disagreement(name, "not quantized", scheme.name());
  return scheme;
}

Status Reader::check(std::string_view name, const Module& module, const LinearScheme& scheme, int64_t out,
                     int64_t in) const {
  if (!module.quantized()) return misfits_to_status(name, float_linear_misfits(source_, name, out, in));
  auto misfits = quantized_misfits(module, scheme, out, in);
  append_bias_misfits(source_, name, out, misfits);
  return misfits_to_status(name, misfits);
}

Status Reader::check_shape_tensor(const Module& module, int64_t out, int64_t in) const {
  if (module.shape == nullptr) return {};
  const Tensor shape = TRY(source_.read(module.shape->name));
  const auto dims = shape.as<int64_t>();
  if (dims[0] == out && dims[1] == in) return {};
  return data_corrupt("{} = [{}, {}], expected [{}, {}]", module.shape->name, dims[0], dims[1], out, in);
}

Status Reader::check_zero_points(const Module& module) const {
  if (module.zero_point == nullptr) return {};
  const Tensor zeros = TRY(source_.read(module.zero_point->name));
  const auto codes = zeros.as<int8_t>();
  const auto bad = std::ranges::find_if(codes, [](int8_t code) { return code != 0; });
  if (bad == codes.end()) return {};
  return data_corrupt("{}: element {} is {}, expected 0 for symmetric weights", module.zero_point->name,
                      bad - codes.begin(), *bad);
}

Result<std::vector<float>> Reader::read_scales(const TensorInfo& info) const {
  auto scales = TRY(read_floats(source_, info));
  const auto bad = std::ranges::find_if(scales, [](float scale) { return !(scale > 0); });
  if (bad == scales.end()) return scales;
  return data_corrupt("{}: element {} is {}, expected a number > 0", info.name, bad - scales.begin(), *bad);
}

Result<Tensor> Reader::read_codes(const TensorInfo& info, const LinearData& data) const {
  Tensor values = TRY(source_.read(info.name));
  const int low = quant::code_min(data.scheme.weight.bits);
  const int high = quant::code_max(data.scheme.weight.bits);
  if (data.scheme.weight.bits == 8) return values;
  const auto codes = std::as_const(values).as<int8_t>();
  const auto bad = std::ranges::find_if(codes, [&](int8_t code) { return code < low || code > high; });
  if (bad == codes.end()) return values;
  return data_corrupt("{}: element {} is {}, expected {} to {} with num_bits={}", info.name,
                      bad - codes.begin(), *bad, low, high, data.scheme.weight.bits);
}

Result<Tensor> Reader::read_packed(const TensorInfo& info, const LinearData& data) const {
  const Tensor packed = TRY(source_.read(info.name));
  Tensor values = TRY(Tensor::allocate(DType::kI8, Shape{data.out, data.in}));
  const auto columns = static_cast<size_t>(data.in);
  const size_t words = quant::packed_words(columns, data.scheme.weight.bits);
  const std::span<const uint32_t> all(reinterpret_cast<const uint32_t*>(packed.data()), packed.bytes() / 4);
  auto codes = values.as<int8_t>();
  for (size_t row = 0; row < static_cast<size_t>(data.out); ++row) {
    quant::unpack_row(all.subspan(row * words, words), data.scheme.weight.bits,
                      codes.subspan(row * columns, columns));
  }
  return values;
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

}  // namespace

const WeightFormat kFormat{.name = "compressed-tensors", .matches = matches, .open = open_reader};

Result<std::unique_ptr<WeightReader>> open_reader(const nlohmann::json& config, const std::string& directory,
                                                  const TensorSource& source) {
  const nlohmann::json* object = find_config(config);
  if (object == nullptr) return not_found("{}/config.json: no quantization_config", directory);
  auto parsed = TRY(parse_config(*object).context("config.json"));
  const auto problems = unsupported_features(parsed);
  if (!problems.empty()) {
    return unsupported(
        "config.json: quantization_config has {}, which is not supported; expected int-quantized or "
        "pack-quantized symmetric 4- "
        "or 8-bit weights per channel or group, inputs dynamic per token (int8, int4) or not quantized",
        fmt::join(problems, "; "));
  }
  auto matcher = TRY(TargetMatcher::create(parsed).context("config.json"));
  return std::unique_ptr<WeightReader>(
      std::make_unique<Reader>(source, std::move(parsed), std::move(matcher)));
}

}  // namespace tessera::formats::compressed_tensors
