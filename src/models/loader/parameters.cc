#include "models/loader/parameters.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <mutex>
#include <unordered_set>
#include <utility>

#include "base/progress.h"
#include "base/trace.h"
#include "formats/float_weights.h"
#include "models/loader/staged_loads.h"
#include "ops/dispatch_trace.h"
#include "ops/weights/weight_table.h"
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

Result<std::vector<float>> read_vector(const formats::TensorSource& source, const std::string& name) {
  const Tensor stored = TRY(source.read(name));
  std::vector<float> values(static_cast<size_t>(stored.shape().numel()));
  quant::widen(stored.dtype(), stored.data(), values);
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

/// Older GPTQ files give every linear a bias, of zeros where the model has none.
bool is_zero(const formats::TensorSource& source, std::string_view name) {
  const formats::TensorInfo* info = source.find(name);
  const auto values = formats::read_floats(source, *info);
  return values.has_value() && std::ranges::all_of(*values, [](float value) { return value == 0; });
}

/// Of the tensors of a linear, which a format may store under another name. Empty when it has none.
std::string stored_bias(const formats::TensorSource& source, const std::vector<std::string>& names) {
  const auto found = std::ranges::find_if(names, [&](const std::string& name) {
    return name.ends_with(".bias") && source.find(name) != nullptr;
  });
  return found == names.end() ? "" : *found;
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

void Parameters::attention(AttentionExtras& into, std::string name, const formats::AttentionHeads& heads) {
  attentions_.push_back({&into, std::move(name), heads});
}

void Parameters::ignore(std::string tensor) {
  ignored_.push_back(std::move(tensor));
}

std::vector<Parameters::NamedLinear> Parameters::named_linears() const {
  std::vector<NamedLinear> linears;
  for (const Parameter& parameter : parameters_) {
    if (auto* const* linear = std::get_if<ops::Linear*>(&parameter.into))
      linears.push_back({parameter.name, *linear});
  }
  return linears;
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
  const std::string bias = stored_bias(source, reader.tensor_names(parameter.name, parameter.kind));
  if (parameter.bias == Bias::kPresent && bias.empty())
    return data_corrupt("{}.bias: not in the checkpoint, but the config says that there is one",
                        parameter.name);
  if (parameter.bias == Bias::kNone && !bias.empty() && !is_zero(source, bias))
    return data_corrupt("{}: in the checkpoint, but the config says that there is none", bias);
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
    if (parameter.kind == formats::ModuleKind::kEmbedding) read.insert(parameter.name + ".weight");
    for (auto& name : reader.tensor_names(parameter.name, parameter.kind))
      read.insert(std::move(name));
  }
  for (const Attention& attention : attentions_) {
    if (const auto status = reader.check_attention(attention.name, attention.heads); !status)
      misfits.push_back(status.error().message());
    for (auto& name : reader.attention_tensor_names(attention.name))
      read.insert(std::move(name));
  }
  for (const formats::TensorInfo& info : source.tensors()) {
    if (!read.contains(info.name) && !is_known_extra(info.name)) {
      misfits.push_back(fmt::format("{}: in the checkpoint, but nothing reads it", info.name));
    }
  }
  return misfits;
}

int64_t Parameters::planned_bytes(const formats::TensorSource& source, const formats::WeightReader& reader,
                                  const ops::PackOptions& options) const {
  constexpr auto kFloat = static_cast<int64_t>(sizeof(float));
  int64_t bytes = 0;
  for (const Parameter& parameter : parameters_) {
    if (std::holds_alternative<std::vector<float>*>(parameter.into)) {
      const bool has_bias =
          parameter.optional_bias != nullptr && source.find(parameter.name + ".bias") != nullptr;
      bytes += parameter.out * kFloat * (has_bias ? 2 : 1);
      continue;
    }
    if (std::holds_alternative<ops::Embedding*>(parameter.into)) {
      bytes += ops::Embedding::bytes_of(parameter.out, parameter.in, options.kind);
      continue;
    }
    // A tied head is float, as check_one() sees to: any float scheme is packed alike.
    const auto scheme = parameter.kind == formats::ModuleKind::kLinear
                            ? reader.scheme(parameter.name, parameter.kind)
                            : quant::LinearScheme{};
    const auto weights = scheme.has_value()
                             ? ops::planned_weight_bytes(*scheme, parameter.out, parameter.in, options)
                             : Result<int64_t>(0);
    if (!scheme || !weights) continue;
    bytes += *weights + (parameter.bias == Bias::kPresent ? parameter.out * kFloat : 0) +
             (scheme->transformed ? parameter.in * kFloat : 0);
  }
  return bytes;
}

Status Parameters::load_one(const Parameter& parameter, const formats::TensorSource& source,
                            const formats::WeightReader& reader, const ops::PackOptions& options,
                            ThreadPool& pool) {
  if (auto* const* vector = std::get_if<std::vector<float>*>(&parameter.into)) {
    **vector = TRY(read_vector(source, parameter.name + ".weight"));
    const std::string bias = parameter.name + ".bias";
    if (parameter.optional_bias != nullptr && source.find(bias) != nullptr)
      *parameter.optional_bias = TRY(read_vector(source, bias));
    return {};
  }
  // Embeddings are float (check_one): class targets of a quantization config are about linears.
  const bool is_linear = parameter.kind == formats::ModuleKind::kLinear;
  quant::LinearData data =
      TRY(is_linear ? reader.read(parameter.name, parameter.out, parameter.in)
                    : formats::read_float_linear(source, parameter.name, parameter.out, parameter.in));
  if (auto* const* embedding = std::get_if<ops::Embedding*>(&parameter.into)) {
    **embedding = TRY(ops::Embedding::make(data.values, options.kind, pool));
    return {};
  }
  ops::Linear& linear = *std::get<ops::Linear*>(parameter.into);
  linear = TRY(ops::Linear::pack(std::move(data), options, pool).context(parameter.name));
  return {};
}

void Parameters::account(const Parameter& parameter, LoadReport& report) {
  if (const auto* const* vector = std::get_if<std::vector<float>*>(&parameter.into)) {
    const size_t bias = parameter.optional_bias == nullptr ? 0 : parameter.optional_bias->size();
    report.packed_bytes += static_cast<int64_t>(((*vector)->size() + bias) * sizeof(float));
  } else if (const auto* const* embedding = std::get_if<ops::Embedding*>(&parameter.into)) {
    report.packed_bytes += (*embedding)->bytes();
  } else {
    const ops::Linear& linear = *std::get<ops::Linear*>(parameter.into);
    report.packed_bytes += linear.packed_bytes();
    if (parameter.kind != formats::ModuleKind::kLinear) return;
    SchemeUse& use = report.schemes[linear.scheme().name()];
    ++use.linears;
    use.packed_bytes += linear.packed_bytes();
  }
}

void Parameters::account(const Attention& attention, LoadReport& report) {
  for (const auto* transform : {&attention.into->query_transform, &attention.into->key_transform})
    report.packed_bytes += *transform == nullptr ? 0 : (*transform)->bytes();
}

Status Parameters::trace_dispatch(const ops::PackOptions& options) const {
  if (!TRY(trace_enabled(TraceTopic::kDispatch))) return {};
  for (const Parameter& parameter : parameters_) {
    if (const auto* const* linear = std::get_if<ops::Linear*>(&parameter.into))
      trace_line(TraceTopic::kDispatch, parameter.name + " " + ops::describe_dispatch(**linear, options));
  }
  return {};
}

LoadTask Parameters::task_of(const Parameter& parameter, const formats::TensorSource& source,
                             const formats::WeightReader& reader) {
  const bool is_vector = std::holds_alternative<std::vector<float>*>(parameter.into);
  LoadTask task;
  const auto names = is_vector ? std::vector{parameter.name + ".weight", parameter.name + ".bias"}
                               : reader.tensor_names(parameter.name, parameter.kind);
  for (const std::string& name : names) {
    const formats::TensorInfo* info = source.find(name);
    if (info == nullptr) continue;
    task.tensors.push_back(info);
    task.staging_bytes += info->bytes;
  }
  if (is_vector || parameter.kind == formats::ModuleKind::kEmbedding) return task;
  const auto weights = static_cast<uint64_t>(parameter.out * parameter.in);
  const auto scheme = reader.scheme(parameter.name, parameter.kind);
  if (scheme.has_value() && !scheme->is_float()) {
    task.staging_bytes += weights;  // codes, a byte each
  } else if (task.staging_bytes < weights * sizeof(uint16_t)) {
    task.staging_bytes += weights * sizeof(float);  // small floats are widened
  }
  return task;
}

Status Parameters::load_attention(const Attention& attention, const formats::WeightReader& reader,
                                  const ops::PackOptions& options) {
  quant::AttentionData data = TRY(reader.read_attention(attention.name, attention.heads));
  attention.into->int8_cache = data.int8_cache;
  attention.into->keys = std::move(data.keys);
  attention.into->values = std::move(data.values);
  const auto make = [&](quant::InputTransform steps, int32_t heads,
                        std::unique_ptr<const ops::InputTransform>& into) -> Status {
    if (steps.empty()) return {};
    into = TRY(
        ops::InputTransform::make(std::move(steps), int64_t{heads} * attention.heads.dim, options.matrices));
    return {};
  };
  TRY_STATUS(make(std::move(data.query_transform), attention.heads.query, attention.into->query_transform));
  return make(std::move(data.key_transform), attention.heads.key, attention.into->key_transform);
}

Status Parameters::load(const formats::TensorSource& source, const formats::WeightReader& reader,
                        const ops::PackOptions& options, ThreadPool& pool, LoadReport& report) {
  TRY_STATUS(misfits_to_status(misfits(source, reader)));
  ops::SharedMatrices matrices;
  ops::PackOptions sharing = options;
  sharing.matrices = &matrices;
  for (const Attention& attention : attentions_)
    TRY_STATUS(load_attention(attention, reader, sharing).context(attention.name));
  std::vector<LoadTask> tasks;
  for (const Parameter& parameter : parameters_)
    tasks.push_back(task_of(parameter, source, reader));
  Progress progress("loading", parameters_.size());
  std::mutex progress_mutex;
  const auto load = [&](size_t index, ThreadPool& workers) -> Status {
    TRY_STATUS(load_one(parameters_[index], source, reader, sharing, workers));
    const std::scoped_lock lock(progress_mutex);
    progress.advance(1, parameters_[index].name);
    return {};
  };
  TRY_STATUS(run_loads(tasks, source, pool, load));
  TRY_STATUS(source.check_unchanged());
  for (const Parameter& parameter : parameters_)
    account(parameter, report);
  for (const Attention& attention : attentions_)
    account(attention, report);
  report.packed_bytes += matrices.bytes();
  return trace_dispatch(options);
}

}  // namespace tessera::models
