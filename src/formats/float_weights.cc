#include "formats/float_weights.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "formats/compressed_tensors/config.h"
#include "quant/integer_codes.h"

namespace tessera::formats {
namespace {

std::string tensor_name(std::string_view module, std::string_view tensor) {
  return fmt::format("{}.{}", module, tensor);
}

class FloatReader final : public WeightReader {
 public:
  explicit FloatReader(const TensorSource& source) : source_(source) {}

  std::string_view format_name() const override { return kFloatWeights.name; }

  Result<quant::LinearScheme> scheme(std::string_view name, ModuleKind /*kind*/) const override {
    const TensorInfo* weight = source_.find(tensor_name(name, "weight"));
    if (weight == nullptr) return not_found("{}.weight: not in the checkpoint", name);
    if (!is_weight_float(weight->dtype)) {
      return unsupported(
          "{}.weight: {} in a checkpoint without quantization_config, expected F32, F16 or BF16", name,
          dtype_name(weight->dtype));
    }
    return float_scheme(weight->dtype);
  }

  std::vector<std::string> tensor_names(std::string_view name, ModuleKind /*kind*/) const override {
    std::vector<std::string> names;
    for (const std::string_view tensor : {"weight", "bias"}) {
      auto full = tensor_name(name, tensor);
      if (source_.find(full) != nullptr) names.push_back(std::move(full));
    }
    return names;
  }

  Status check(std::string_view name, int64_t out, int64_t in) const override {
    return misfits_to_status(name, float_linear_misfits(source_, name, out, in));
  }

  Result<quant::LinearData> read(std::string_view name, int64_t out, int64_t in) const override {
    TRY_STATUS(check(name, out, in));
    return read_float_linear(source_, name, out, in);
  }

 private:
  const TensorSource& source_;
};

bool matches(const nlohmann::json& config, const std::string& /*directory*/) {
  return compressed_tensors::find_config(config) == nullptr;
}

Result<std::unique_ptr<WeightReader>> open(const nlohmann::json& /*config*/, const std::string& /*directory*/,
                                           const TensorSource& source) {
  return std::unique_ptr<WeightReader>(std::make_unique<FloatReader>(source));
}

}  // namespace

const WeightFormat kFloatWeights{.name = "none", .matches = matches, .open = open, .stored_schemes = [] {
                                   std::vector<StoredScheme> schemes;
                                   for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16})
                                     schemes.push_back({std::string(dtype_name(dtype)), float_scheme(dtype)});
                                   return schemes;
                                 }};

bool is_weight_float(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

quant::LinearScheme float_scheme(DType dtype) {
  quant::LinearScheme scheme;
  scheme.weight.bits = dtype == DType::kF32 ? 32 : 16;
  return scheme;
}

void append_bias_misfits(const TensorSource& source, std::string_view name, int64_t out,
                         std::vector<std::string>& misfits) {
  const TensorInfo* bias = source.find(tensor_name(name, "bias"));
  if (bias == nullptr) return;
  if (!is_weight_float(bias->dtype))
    misfits.push_back(fmt::format("bias is {}, expected F32, F16 or BF16", dtype_name(bias->dtype)));
  if (bias->shape != Shape{out})
    misfits.push_back(fmt::format("bias is {}, expected [{}]", bias->shape.to_string(), out));
}

std::vector<std::string> float_linear_misfits(const TensorSource& source, std::string_view name, int64_t out,
                                              int64_t in) {
  const TensorInfo* weight = source.find(tensor_name(name, "weight"));
  if (weight == nullptr) return {"weight is missing"};
  std::vector<std::string> misfits;
  if (!is_weight_float(weight->dtype)) {
    misfits.push_back(fmt::format("weight is {}, expected F32, F16 or BF16", dtype_name(weight->dtype)));
  }
  if (weight->shape != Shape{out, in}) {
    misfits.push_back(fmt::format("weight is {}, expected [{}, {}]", weight->shape.to_string(), out, in));
  }
  append_bias_misfits(source, name, out, misfits);
  return misfits;
}

Status misfits_to_status(std::string_view name, const std::vector<std::string>& misfits) {
  if (misfits.empty()) return {};
  return data_corrupt("{}: {}", name, fmt::join(misfits, "; "));
}

Result<std::vector<float>> read_floats(const TensorSource& source, const TensorInfo& info) {
  Tensor tensor = TRY(Tensor::allocate(info.dtype, info.shape));
  TRY_STATUS(source.read(info, tensor.raw()));
  std::vector<float> values(static_cast<size_t>(info.shape.numel()));
  quant::widen(info.dtype, tensor.data(), values);
  const auto bad = std::ranges::find_if(values, [](float value) { return !std::isfinite(value); });
  if (bad != values.end()) {
    return data_corrupt("{}: element {} is {}, expected a finite number", info.name, bad - values.begin(),
                        *bad);
  }
  return values;
}

Result<std::vector<float>> read_bias(const TensorSource& source, std::string_view name) {
  const TensorInfo* bias = source.find(tensor_name(name, "bias"));
  if (bias == nullptr) return std::vector<float>();
  return read_floats(source, *bias);
}

Result<quant::LinearData> read_float_linear(const TensorSource& source, std::string_view name, int64_t out,
                                            int64_t in) {
  quant::LinearData data;
  data.out = out;
  data.in = in;
  data.values = TRY(source.read(tensor_name(name, "weight")));
  data.scheme = float_scheme(data.values.dtype());
  data.bias = TRY(read_bias(source, name));
  return data;
}

}  // namespace tessera::formats
