#include "models/loader/parameters.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/progress.h"
#include "base/trace.h"
#include "formats/float_weights.h"
#include "ops/dispatch_trace.h"
#include "quant/integer_codes.h"

namespace tessera::models {
namespace {

// A wrong config can misfit thousands of tensors; the first ones tell the story.
constexpr size_t kShownMisfits = 20;

Status misfits_to_status(const std::vector<std::string>& misfits) {
  if (misfits.empty()) return {};
  const size_t shown = std::min(misfits.size(), kShownMisfits);
  const auto first =
      std::vector<std::string>(misfits.begin(), misfits.begin() + static_cast<ptrdiff_t>(shown));
  const std::string more = misfits.size() > shown ? fmt::format("; and {} more", misfits.size() - shown) : "";
  return data_corrupt("the checkpoint does not fit its config.json: {}{}", fmt::join(first, "; "), more);
}

/// Tensors that checkpoints carry and no engine reads: old exports stored the rotary frequencies, ModelSlim's
/// V0 the norms with a bias a second time.
bool is_known_extra(std::string_view name) {
  return name.ends_with(".rotary_emb.inv_freq") || name.ends_with("norm.module.weight") ||
         name.ends_with("norm.module.bias");
}

Result<std::vector<float>> read_vector(const formats::TensorSource& source, const std::string& name,
                                       LoadReport& report) {
  const Tensor stored = TRY(source.read(name));
  std::vector<float> values(static_cast<size_t>(stored.shape().numel()));
  quant::widen(stored.dtype(), stored.data(), values);
  report.packed_bytes += static_cast<int64_t>(values.size() * sizeof(float));
  return values;
}

Status check_vector(const formats::TensorSource& source, const std::string& name, int64_t size) {
  const formats::TensorInfo* info = source.find(name);
  if (info == nullptr) return not_found("{}: not in the checkpoint, expected a vector of {}", name, size);
  if (!is_float(info->dtype) || info->dtype == DType::kF64 || info->shape != Shape{size}) {
    return data_corrupt("{}: {} {}, expected floats [{}]", name, dtype_name(info->dtype),
                        info->shape.to_string(), size);
  }
  return {};
}

}  // namespace

void Parameters::linear(ops::Linear& into, std::string name, int64_t out, int64_t in, Bias bias) {
  parameters_.push_back({&into, std::move(name), out, in, bias, formats::ModuleKind::kLinear});
}

void Parameters::embedding(ops::Embedding& into, std::string name, int64_t vocab, int64_t hidden) {
  parameters_.push_back(
      {&into, std::move(name), vocab, hidden, Bias::kNone, formats::ModuleKind::kEmbedding});
}

void Parameters::tied_head(ops::Linear& into, std::string embedding_name, int64_t vocab, int64_t hidden) {
  parameters_.push_back(
      {&into, std::move(embedding_name), vocab, hidden, Bias::kNone, formats::ModuleKind::kEmbedding});
}

void Parameters::vector(std::vector<float>& into, std::string name, int64_t size, std::vector<float>* bias) {
  parameters_.push_back({&into, std::move(name), size, 1, Bias::kNone, formats::ModuleKind::kLinear, bias});
}

void Parameters::ignore(std::string tensor) {
  ignored_.push_back(std::move(tensor));
}

std::vector<quant::PartLinear> Parameters::linears() const {
  std::vector<quant::PartLinear> linears;
  for (const Parameter& parameter : parameters_) {
    if (std::holds_alternative<ops::Linear*>(parameter.into) &&
        parameter.kind == formats::ModuleKind::kLinear) {
      linears.push_back({parameter.name, parameter.in});
    }
  }
  return linears;
}

std::vector<formats::TensorInfo> Parameters::float_tensors() const {
  std::vector<formats::TensorInfo> tensors;
  const auto add = [&](std::string name, DType dtype, const Shape& shape) {
    const uint64_t bytes = static_cast<uint64_t>(shape.numel()) * dtype_size(dtype);
    tensors.push_back({.name = std::move(name), .dtype = dtype, .shape = shape, .bytes = bytes});
  };
  for (const Parameter& parameter : parameters_) {
    const bool is_vector = std::holds_alternative<std::vector<float>*>(parameter.into);
    const Shape matrix{parameter.out, parameter.in};
    add(parameter.name + ".weight", is_vector ? DType::kF32 : DType::kBF16,
        is_vector ? Shape{parameter.out} : matrix);
    if (parameter.bias == Bias::kPresent) add(parameter.name + ".bias", DType::kBF16, Shape{parameter.out});
  }
  return tensors;
}

Status Parameters::check_one(const Parameter& parameter, const formats::TensorSource& source,
                             const formats::WeightReader& reader) const {
  if (std::holds_alternative<std::vector<float>*>(parameter.into)) {
    TRY_STATUS(check_vector(source, parameter.name + ".weight", parameter.out));
    const std::string bias = parameter.name + ".bias";
    if (parameter.optional_bias == nullptr || source.find(bias) == nullptr) return {};
    return check_vector(source, bias, parameter.out);
  }
  if (parameter.kind == formats::ModuleKind::kEmbedding) {
    return formats::misfits_to_status(
        parameter.name, formats::float_linear_misfits(source, parameter.name, parameter.out, parameter.in));
  }
  const quant::LinearScheme scheme = TRY(reader.scheme(parameter.name, parameter.kind));
  TRY_STATUS(reader.check(parameter.name, parameter.out, parameter.in));
  TRY_STATUS(ops::Linear::check(scheme, parameter.in).context(parameter.name));
  // A format may store the linear under another name, so its own list of tensors tells.
  const auto names = reader.tensor_names(parameter.name, parameter.kind);
  const bool has_bias = std::ranges::any_of(names, [&](const std::string& name) {
    return name.ends_with(".bias") && source.find(name) != nullptr;
  });
  if (has_bias != (parameter.bias == Bias::kPresent)) {
    return data_corrupt("{}.bias: {}", parameter.name,
                        has_bias ? "in the checkpoint, but the config says that there is none"
                                 : "not in the checkpoint, but the config says that there is one");
  }
  return {};
}

std::vector<std::string> Parameters::misfits(const formats::TensorSource& source,
                                             const formats::WeightReader& reader) const {
  std::vector<std::string> misfits;
  std::unordered_set<std::string> read(ignored_.begin(), ignored_.end());
  for (const Parameter& parameter : parameters_) {
    if (const auto status = check_one(parameter, source, reader); !status)
      misfits.push_back(status.error().message());
    if (std::holds_alternative<std::vector<float>*>(parameter.into)) {
      read.insert(parameter.name + ".weight");
      if (parameter.optional_bias != nullptr) read.insert(parameter.name + ".bias");
      continue;
    }
    read.insert(parameter.name + ".weight");
    read.insert(parameter.name + ".bias");
    for (auto& name : reader.tensor_names(parameter.name, parameter.kind))
      read.insert(std::move(name));
  }
  for (const formats::TensorInfo& info : source.tensors()) {
    if (!read.contains(info.name) && !is_known_extra(info.name)) {
      misfits.push_back(fmt::format("{}: in the checkpoint, but nothing reads it", info.name));
    }
  }
  return misfits;
}

Status Parameters::load_one(const Parameter& parameter, const formats::TensorSource& source,
                            const formats::WeightReader& reader, const ops::PackOptions& options,
                            ThreadPool& pool, LoadReport& report) {
  if (auto* const* vector = std::get_if<std::vector<float>*>(&parameter.into)) {
    **vector = TRY(read_vector(source, parameter.name + ".weight", report));
    const std::string bias = parameter.name + ".bias";
    if (parameter.optional_bias != nullptr && source.find(bias) != nullptr)
      *parameter.optional_bias = TRY(read_vector(source, bias, report));
    return {};
  }
  // Embeddings are float (check_one): class targets of a quantization config are about linears.
  const bool is_linear = parameter.kind == formats::ModuleKind::kLinear;
  quant::LinearData data =
      TRY(is_linear ? reader.read(parameter.name, parameter.out, parameter.in)
                    : formats::read_float_linear(source, parameter.name, parameter.out, parameter.in));
  if (auto* const* embedding = std::get_if<ops::Embedding*>(&parameter.into)) {
    **embedding = TRY(ops::Embedding::make(data.values, options.kind));
    report.packed_bytes += (*embedding)->bytes();
    return {};
  }
  ops::Linear& linear = *std::get<ops::Linear*>(parameter.into);
  linear = TRY(ops::Linear::pack(std::move(data), options, pool).context(parameter.name));
  if (TRY(trace_enabled(TraceTopic::kDispatch)))
    trace_line(TraceTopic::kDispatch, parameter.name + " " + ops::describe_dispatch(linear, options));
  report.packed_bytes += linear.packed_bytes();
  if (is_linear) {
    SchemeUse& use = report.schemes[linear.scheme().name()];
    ++use.linears;
    use.packed_bytes += linear.packed_bytes();
  }
  return {};
}

Status Parameters::load(const formats::TensorSource& source, const formats::WeightReader& reader,
                        const ops::PackOptions& options, ThreadPool& pool, LoadReport& report) {
  TRY_STATUS(misfits_to_status(misfits(source, reader)));
  Progress progress("loading", parameters_.size());
  for (const Parameter& parameter : parameters_) {
    TRY_STATUS(load_one(parameter, source, reader, options, pool, report));
    progress.advance(1, parameter.name);
  }
  return {};
}

}  // namespace tessera::models
