#include "compress/rotate/rotated_source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "quant/integer_codes.h"

namespace tessera::compress {
namespace {

using formats::TensorInfo;

/// "model.layers.3.self_attn.v_proj.weight": layer "model.layers.3.", module "self_attn.v_proj", kind
/// "weight". Outside the layers `layer` is empty and the module the whole path.
struct Name {
  std::string_view layer, module, kind;

  std::string_view leaf() const { return module.substr(module.rfind('.') + 1); }  // npos + 1 is 0
};

Name split_name(std::string_view name) {
  constexpr std::string_view kLayers = "model.layers.";
  Name result;
  const size_t dot = name.rfind('.');
  if (dot != std::string_view::npos) result.kind = name.substr(dot + 1);
  result.module = name.substr(0, dot);
  const size_t end = result.module.find('.', kLayers.size());
  if (!result.module.starts_with(kLayers) || end == std::string_view::npos) return result;
  result.layer = result.module.substr(0, end + 1);
  result.module.remove_prefix(end + 1);
  return result;
}

template <size_t N>
bool is_one_of(std::string_view text, const std::array<std::string_view, N>& list) {
  return std::ranges::find(list, text) != list.end();
}

float to_float(double value) {
  return static_cast<float>(value);
}

Result<std::vector<float>> read_floats(const formats::TensorSource& source, const TensorInfo& info) {
  const Tensor tensor = TRY(source.read(info.name));
  std::vector<float> values(static_cast<size_t>(tensor.shape().numel()));
  quant::widen(tensor.dtype(), tensor.data(), values);
  return values;
}

}  // namespace

Result<std::unique_ptr<RotatedSource>> RotatedSource::make(const formats::TensorSource& source,
                                                           const models::ModelConfig& config,
                                                           const RotateOptions& options) {
  auto rotated = std::unique_ptr<RotatedSource>(new RotatedSource(source));
  rotated->residual_ = TRY(Rotation::random(config.hidden, options.seed));
  rotated->head_ = TRY(Rotation::random(config.head_dim, options.seed + 1));
  if (options.online) {
    // What compressed-tensors calls `hadamard` exists for powers of two alone.
    const int64_t width = config.moe ? config.moe->intermediate : config.intermediate;
    rotated->down_ = TRY(Rotation::plain(options.down_block > 0 ? options.down_block : width & -width));
  }
  std::vector<std::string> misfits;
  for (const TensorInfo& info : source.tensors()) {
    if (config.tied_embeddings && info.name == "lm_head.weight") continue;
    const Status status = rotated->add(info, info.name);
    if (!status) misfits.push_back(status.error().message());
  }
  if (config.tied_embeddings) {
    const TensorInfo* embedding = source.find("model.embed_tokens.weight");
    const Status status =
        embedding == nullptr
            ? Status(not_found("model.embed_tokens.weight: no tensor of this name in the checkpoint"))
            : rotated->add(*embedding, "lm_head.weight");
    if (!status) misfits.push_back(status.error().message());
  }
  if (!misfits.empty()) return unsupported("--rotate: {}", fmt::join(misfits, "; "));
  for (size_t i = 0; i < rotated->infos_.size(); ++i)
    rotated->by_name_.emplace(rotated->infos_[i].name, i);
  return rotated;
}

Status RotatedSource::add(const TensorInfo& from, std::string name) {
  Treatment treatment = TRY(treatment_of(name));
  const int64_t rank = from.shape.rank();
  if (!is_float(from.dtype) || rank < 1 || rank > 2)
    return unsupported("{} {} {}: expected floats [n] or [out, in]", name, dtype_name(from.dtype),
                       from.shape.to_string());
  treatment.from = &from;
  const int64_t in = from.shape[static_cast<int>(rank) - 1], out = from.shape[0];
  const auto fits = [](const Rotation* rotation, int64_t size) {
    return rotation == nullptr || size % rotation->size() == 0;
  };
  if (!fits(treatment.columns, in) || !fits(treatment.rows, out) ||
      (treatment.norm != nullptr && treatment.norm->shape.numel() != in)) {
    return unsupported("{} {}: does not fit the rotation of its model", name, from.shape.to_string());
  }
  TensorInfo& info = infos_.emplace_back(from);
  info.name = std::move(name);
  info.dtype = DType::kF32;
  info.bytes = static_cast<uint64_t>(from.shape.numel()) * sizeof(float);
  treatments_.push_back(treatment);
  return {};
}

Result<RotatedSource::Treatment> RotatedSource::treatment_of(const std::string& full_name) const {
  constexpr std::array<std::string_view, 3> kNorms{"input_layernorm", "post_attention_layernorm",
                                                   "model.norm"};
  constexpr std::array<std::string_view, 2> kHeadNorms{"q_norm", "k_norm"};
  constexpr std::array<std::string_view, 3> kAttentionInputs{"q_proj", "k_proj", "v_proj"};
  constexpr std::array<std::string_view, 3> kMlpInputs{"gate_proj", "up_proj", "gate"};
  const Name name = split_name(full_name);
  // Only layers have linears of these names.
  const std::string_view leaf = name.layer.empty() ? std::string_view() : name.leaf();
  const Rotation* const down = down_ ? &*down_ : nullptr;
  const auto norm = [&](std::string_view module) {
    return source_.find(fmt::format("{}{}.weight", name.layer, module));
  };
  Treatment treatment;
  if (is_one_of(name.module, kNorms)) {
    treatment.ones = true;
  } else if (name.module == "model.embed_tokens") {
    treatment.columns = &*residual_;
  } else if (name.module == "lm_head") {
    treatment = {.norm = norm("model.norm"), .columns = &*residual_};
  } else if (is_one_of(leaf, kAttentionInputs)) {
    treatment = {.norm = norm("input_layernorm"), .columns = &*residual_};
    if (leaf == "v_proj") treatment.rows = &*head_;
  } else if (leaf == "o_proj") {
    treatment = {.columns = &*head_, .rows = &*residual_};
  } else if (is_one_of(leaf, kMlpInputs)) {
    treatment = {.norm = norm("post_attention_layernorm"), .columns = &*residual_};
  } else if (leaf == "down_proj") {
    treatment = {.columns = down, .rows = &*residual_};
  } else if (!is_one_of(leaf, kHeadNorms)) {
    return unsupported("{}: not a tensor that a rotation knows", full_name);
  }
  // A bias is a column: only what mixes outputs touches it.
  if (name.kind == "bias") return Treatment{.rows = treatment.rows};
  return treatment;
}

const TensorInfo* RotatedSource::find(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  return found == by_name_.end() ? nullptr : &infos_[found->second];
}

namespace {

/// The rows of a matrix [rows, columns] <- M^T times it.
void mix_rows(const Rotation& rotation, std::span<double> matrix, size_t columns) {
  const size_t rows = matrix.size() / columns;
  std::vector<double> scratch, column(rows);
  for (size_t c = 0; c < columns; ++c) {
    for (size_t r = 0; r < rows; ++r)
      column[r] = matrix[r * columns + c];
    rotation.apply(column, scratch);
    for (size_t r = 0; r < rows; ++r)
      matrix[r * columns + c] = column[r];
  }
}

}  // namespace

Status RotatedSource::read(const TensorInfo& info, std::span<std::byte> out) const {
  const auto found = by_name_.find(info.name);
  CHECK(found != by_name_.end() && out.size() == info.bytes, "{}: {} bytes", info.name, out.size());
  const Treatment& treatment = treatments_[found->second];
  const std::span<float> result(reinterpret_cast<float*>(out.data()), out.size() / sizeof(float));
  if (treatment.ones) {
    std::ranges::fill(result, 1.0F);
    return {};
  }
  const std::vector<float> values = TRY(read_floats(source_, *treatment.from));
  std::vector<float> norm;
  if (treatment.norm != nullptr) norm = TRY(read_floats(source_, *treatment.norm));
  const bool is_vector = info.shape.rank() == 1;
  const auto columns = static_cast<size_t>(is_vector ? 1 : info.shape[1]);
  // Whole in float64 only where rows are mixed; of embeddings and heads a row at a time.
  std::vector<double> matrix(treatment.rows != nullptr ? values.size() : columns), scratch;
  for (size_t begin = 0; begin < values.size(); begin += columns) {
    const std::span<double> row = std::span(matrix).subspan(treatment.rows != nullptr ? begin : 0, columns);
    for (size_t c = 0; c < columns; ++c)
      row[c] = static_cast<double>(values[begin + c]) * (norm.empty() ? 1.0 : static_cast<double>(norm[c]));
    if (treatment.columns != nullptr) treatment.columns->apply(row, scratch);
    if (treatment.rows == nullptr)
      std::ranges::transform(row, result.begin() + static_cast<ptrdiff_t>(begin), to_float);
  }
  if (treatment.rows == nullptr) return {};
  mix_rows(*treatment.rows, matrix, columns);
  std::ranges::transform(matrix, result.begin(), to_float);
  return {};
}

}  // namespace tessera::compress
