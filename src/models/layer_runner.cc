#include "models/layer_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "formats/prefix_source.h"
#include "models/blocks/norm_rows.h"

namespace tessera::models {
namespace {

constexpr int32_t kPageSize = 64;  // tokens; as the engine's
constexpr int64_t kStepRows = 2048;

}  // namespace

LayerRunner::LayerRunner(ModelConfig config, ThreadPool& pool)
    : config_(std::move(config)), pool_(pool), rope_(config_.rope, config_.head_dim, config_.max_position) {}

Status LayerRunner::embed(const formats::TensorSource& source, std::span<const int32_t> ids,
                          MatrixView<float> hidden) {
  for (const int32_t id : ids) {
    if (id < 0 || id >= config_.vocab)
      return invalid_argument("token id {}, expected 0 to {}", id, config_.vocab - 1);
  }
  const Tensor table = TRY(source.read("model.embed_tokens.weight"));
  const ops::Embedding embedding = TRY(ops::Embedding::make(table, ops::FloatKind::kF32, pool_));
  embedding.lookup(ids, hidden);
  return {};
}

Result<std::vector<Parameters::NamedLinear>> LayerRunner::load(const formats::TensorSource& source,
                                                               const formats::WeightReader& reader,
                                                               int32_t index, LayerWeights& layer) {
  Parameters parameters;
  declare_layer(config_, index, layer, parameters);
  LoadReport report;
  const formats::PrefixSource tensors(source, fmt::format("model.layers.{}.", index));
  TRY_STATUS(parameters.load(tensors, reader, {.kind = ops::FloatKind::kF32}, pool_, report));
  return parameters.named_linears();
}

Status LayerRunner::forward(int32_t index, const LayerWeights& layer, MatrixView<float> hidden,
                            int32_t length) {
  TRY_STATUS(attend(index, layer, hidden, length));
  feed(layer, hidden);
  return {};
}

Status LayerRunner::attend(int32_t index, const LayerWeights& layer, MatrixView<float> hidden,
                           int32_t length) {
  // The cache has one layer, so the one at work is the first.
  const std::vector<int32_t> windows = std::exchange(config_.windows, {config_.window(index)});
  const int32_t sequences = static_cast<int32_t>(std::max<int64_t>(1, kStepRows / length));
  const int32_t pages = (length + kPageSize - 1) / kPageSize;
  auto cache = TRY(cache::KvCache::allocate({.layers = 1,
                                             .pages = sequences * pages,
                                             .page_size = kPageSize,
                                             .kv_heads = config_.kv_heads,
                                             .head_dim = config_.head_dim,
                                             .type = kernels::CacheType::kF32}));
  const int64_t rows = int64_t{sequences} * length;
  for (int64_t begin = 0; begin < hidden.rows; begin += rows)
    attend_sequences(layer, hidden.row_range(begin, std::min(rows, hidden.rows - begin)), length, cache);
  config_.windows = windows;
  return {};
}

void LayerRunner::attend_sequences(const LayerWeights& layer, MatrixView<float> hidden, int32_t length,
                                   cache::KvCache& cache) {
  const int32_t pages_each = (length + kPageSize - 1) / kPageSize;
  std::vector<int32_t> pages(static_cast<size_t>(cache.shape().pages)), positions;
  std::iota(pages.begin(), pages.end(), 0);
  std::vector<RowSpan> spans;
  for (int64_t first = 0; first < hidden.rows; first += length) {
    const int64_t rows = std::min<int64_t>(length, hidden.rows - first);
    spans.push_back({.first = first,
                     .rows = rows,
                     .start = 0,
                     .pages = std::span(pages).subspan(spans.size() * static_cast<size_t>(pages_each),
                                                       static_cast<size_t>(pages_each))});
    for (int32_t position = 0; position < rows; ++position)
      positions.push_back(position);
  }
  const Step step{.config = config_,
                  .rope = rope_,
                  .cache = cache,
                  .pool = pool_,
                  .spans = spans,
                  .positions = positions};
  const auto normed = normed_.matrix(hidden.rows, hidden.cols),
             delta = delta_.matrix(hidden.rows, hidden.cols);
  norm_rows(hidden, layer.attention_norm, config_.norm_eps, normed, pool_);
  attention_.forward(step, 0, layer.attention, normed, delta);
  // The norm behind it is the next half's: only the sum is kept.
  add_norm_rows(hidden, delta, layer.mlp_norm, config_.norm_eps, normed, pool_);
}

Result<OutputHead> LayerRunner::load_head(const formats::TensorSource& source,
                                          const formats::WeightReader& reader) {
  OutputHead head;
  LoadReport report;
  const auto load = [&](Parameters& parameters, const std::string& module) -> Status {
    const formats::PrefixSource tensors(source, module + ".");
    return parameters.load(tensors, reader, {.kind = ops::FloatKind::kF32}, pool_, report);
  };
  Parameters norm, linear;
  norm.vector(head.norm.weight, "model.norm", config_.hidden, &head.norm.bias);
  TRY_STATUS(load(norm, "model.norm"));
  const std::string name = config_.tied_embeddings ? "model.embed_tokens" : "lm_head";
  if (config_.tied_embeddings) {
    linear.tied_head(head.head, name, config_.vocab, config_.hidden);
  } else {
    linear.linear(head.head, name, config_.vocab, config_.hidden);
  }
  TRY_STATUS(load(linear, name));
  return head;
}

void LayerRunner::run_head(const OutputHead& head, MatrixView<const float> hidden, MatrixView<float> logits) {
  const auto normed = normed_.matrix(hidden.rows, hidden.cols);
  norm_rows(hidden, head.norm, config_.norm_eps, normed, pool_);
  head_input_.reset(normed);
  const std::array<ops::LinearCall, 1> call{{{&head.head, logits}}};
  ops::run_linears(head_input_, call, pool_);
}

void LayerRunner::feed(const LayerWeights& layer, MatrixView<float> hidden) {
  for (int64_t begin = 0; begin < hidden.rows; begin += kStepRows) {
    const auto rows = hidden.row_range(begin, std::min(kStepRows, hidden.rows - begin));
    const auto normed = normed_.matrix(rows.rows, rows.cols), delta = delta_.matrix(rows.rows, rows.cols);
    norm_rows(rows, layer.mlp_norm, config_.norm_eps, normed, pool_);
    if (layer.moe.experts.empty()) {
      mlp_.forward(layer.mlp, normed, delta, pool_);
    } else {
      moe_.forward(*config_.moe, layer.moe, normed, delta, pool_);
    }
    add_norm_rows(rows, delta, layer.mlp_norm, config_.norm_eps, normed, pool_);
  }
}

}  // namespace tessera::models
