#include "compress/smooth/scaled_source.h"

#include "base/check.h"
#include "formats/float_weights.h"
#include "quant/integer_codes.h"

namespace tessera::compress {

using formats::TensorInfo;

Result<std::unique_ptr<ScaledSource>> ScaledSource::make(const formats::TensorSource& source,
                                                         std::vector<ScaledFold> folds) {
  auto scaled = std::unique_ptr<ScaledSource>(new ScaledSource(source, std::move(folds)));
  scaled->infos_.assign(source.tensors().begin(), source.tensors().end());
  scaled->treatments_.resize(scaled->infos_.size());
  for (size_t i = 0; i < scaled->infos_.size(); ++i)
    scaled->by_name_.emplace(scaled->infos_[i].name, i);
  for (ScaledFold& fold : scaled->folds_) {
    TRY_STATUS(scaled->settle_norm(fold));
    TRY_STATUS(scaled->divide(fold.fold.from + ".weight", fold));
    if (source.find(fold.fold.from + ".bias") != nullptr)
      TRY_STATUS(scaled->divide(fold.fold.from + ".bias", fold));
    for (const std::string& linear : fold.fold.into)
      TRY_STATUS(scaled->multiply(linear + ".weight", fold));
  }
  return scaled;
}

/// The numbers by which a norm's weights really fall once they are stored.
Status ScaledSource::settle_norm(ScaledFold& fold) {
  const TensorInfo* info = source_.find(fold.fold.from + ".weight");
  if (info == nullptr || info->shape.rank() != 1 || info->dtype == DType::kF32) return {};
  const std::vector<float> weights = TRY(formats::read_floats(source_, *info));
  for (size_t i = 0; i < std::min(weights.size(), fold.scales.size()); ++i) {
    const float stored = quant::round_to_dtype(weights[i] / fold.scales[i], info->dtype);
    fold.scales[i] = stored == 0 ? 1 : weights[i] / stored;
  }
  return {};
}

Result<size_t> ScaledSource::touch(const std::string& name) {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return unsupported("{}: no such tensor, expected one to smooth", name);
  TensorInfo& info = infos_[found->second];
  if (!formats::is_weight_float(info.dtype))
    return unsupported("{} is {}, expected F32, F16 or BF16 to smooth", name, dtype_name(info.dtype));
  info.dtype = DType::kF32;
  info.bytes = static_cast<uint64_t>(info.shape.numel()) * sizeof(float);
  return found->second;
}

Status ScaledSource::divide(const std::string& name, const ScaledFold& fold) {
  const size_t index = TRY(touch(name));
  const Shape& shape = infos_[index].shape;
  if (shape[0] != fold.fold.channels)
    return unsupported("{} {}: expected {} rows to smooth", name, shape.to_string(), fold.fold.channels);
  treatments_[index].rows = &fold;
  return {};
}

Status ScaledSource::multiply(const std::string& name, const ScaledFold& fold) {
  const size_t index = TRY(touch(name));
  const Shape& shape = infos_[index].shape;
  const int64_t columns = fold.fold.channels * fold.fold.heads_each;
  if (shape.rank() != 2 || shape[1] != columns)
    return unsupported("{} {}: expected {} columns to smooth", name, shape.to_string(), columns);
  treatments_[index].columns = &fold;
  return {};
}

const TensorInfo* ScaledSource::find(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  return found == by_name_.end() ? nullptr : &infos_[found->second];
}

Status ScaledSource::read(const TensorInfo& info, std::span<std::byte> out) const {
  const auto found = by_name_.find(info.name);
  CHECK(found != by_name_.end() && out.size() == info.bytes, "{}: {} bytes", info.name, out.size());
  const TensorInfo* const from = source_.find(info.name);
  const Treatment& treatment = treatments_[found->second];
  if (treatment.rows == nullptr && treatment.columns == nullptr) return source_.read(*from, out);
  const std::vector<float> values = TRY(formats::read_floats(source_, *from));
  const std::span<float> result(reinterpret_cast<float*>(out.data()), out.size() / sizeof(float));
  const auto columns = static_cast<size_t>(info.shape.rank() == 1 ? 1 : info.shape[1]);
  for (size_t i = 0; i < values.size(); ++i) {
    result[i] = values[i];
    if (treatment.columns != nullptr)
      result[i] *= treatment.columns->scales[treatment.columns->fold.channel_of(i % columns)];
    if (treatment.rows != nullptr) result[i] /= treatment.rows->scales[i / columns];
  }
  return {};
}

}  // namespace tessera::compress
