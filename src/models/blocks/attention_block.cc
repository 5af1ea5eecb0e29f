#include "models/blocks/attention_block.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/timeline.h"
#include "kernels/kv_store/kv_store.h"
#include "kernels/rmsnorm/rmsnorm.h"
#include "kernels/rope/rope.h"
#include "ops/cache_channels.h"
#include "ops/kernel_note.h"
#include "ops/parallel_rows.h"

namespace tessera::models {
namespace {

/// Norm (if the architecture has one), rotation, and what the checkpoint adds, of `heads` heads of rows
/// [begin, end), in place.
void prepare_heads(const Step& step, MatrixView<float> x, int32_t heads, const std::vector<float>& norm,
                   const ops::InputTransform* transform, int64_t begin, int64_t end) {
  const int64_t head_dim = step.config.head_dim;
  if (!norm.empty()) {
    // Heads of a row are contiguous, and so are rows: one long list of heads.
    kernels::rmsnorm({.x = x.row(begin),
                      .x_stride = head_dim,
                      .w = norm.data(),
                      .eps = step.config.norm_eps,
                      .y = x.row(begin),
                      .y_stride = head_dim,
                      .rows = (end - begin) * heads,
                      .cols = head_dim});
  }
  kernels::rope({.x = x.row(begin),
                 .row_stride = x.stride,
                 .head_stride = head_dim,
                 .rows = end - begin,
                 .heads = heads,
                 .rotary_dim = head_dim,
                 .cos = step.rope.cos(),
                 .sin = step.rope.sin(),
                 .positions = step.positions.data() + begin});
  if (transform != nullptr) transform->apply_in_place(x.row_range(begin, end - begin));
}

/// Whether keys, or values, are kept as codes that have a scale for each channel.
bool has_channels(const Step& step, const quant::CacheScales& scales) {
  const auto& shape = step.cache.shape();
  return shape.type == kernels::CacheType::kInt8 && scales.per_channel(shape.kv_heads);
}

/// Rows [begin, end), in place, where the checkpoint gives channels scales of their own.
void to_channel_codes(const Step& step, const AttentionExtras& extras, MatrixView<float> q,
                      MatrixView<float> k, MatrixView<float> v, int64_t begin, int64_t end) {
  const int64_t rows = end - begin;
  if (has_channels(step, extras.keys)) {
    ops::to_cache_codes(extras.keys, k.row_range(begin, rows));
    ops::scale_queries(extras.keys, step.config.head_dim, q.row_range(begin, rows));
  }
  if (has_channels(step, extras.values)) ops::to_cache_codes(extras.values, v.row_range(begin, rows));
}

/// Rows [begin, end) of the batch, whoever they belong to.
void store(const Step& step, int32_t layer, const AttentionExtras& extras, MatrixView<const float> k,
           MatrixView<const float> v, int64_t begin, int64_t end) {
  const auto& shape = step.cache.shape();
  const std::vector<float> ones(static_cast<size_t>(shape.kv_heads), 1.F);
  const auto scales_of = [&](const quant::CacheScales& cache) -> const float* {
    if (cache.per_channel(shape.kv_heads)) return ones.data();
    return cache.scales.empty() ? nullptr : cache.scales.data();
  };
  for (const RowSpan& span : step.spans) {
    const int64_t first = std::max(begin, span.first), last = std::min(end, span.first + span.rows);
    if (first >= last) continue;
    kernels::kv_store({.k = k.row(first),
                       .k_row_stride = k.stride,
                       .v = v.row(first),
                       .v_row_stride = v.stride,
                       .rows = last - first,
                       .start = span.start + first - span.first,
                       .k_scales = scales_of(extras.keys),
                       .v_scales = scales_of(extras.values),
                       .cache_type = shape.type,
                       .k_cache = step.cache.keys(layer),
                       .v_cache = step.cache.values(layer),
                       .strides = step.cache.strides(),
                       .pages = span.pages.data(),
                       .page_size = shape.page_size,
                       .kv_heads = shape.kv_heads,
                       .head_dim = shape.head_dim});
  }
}

}  // namespace

void AttentionBlock::forward(const Step& step, int32_t layer, const AttentionWeights& weights,
                             MatrixView<const float> x, MatrixView<float> out) {
  const Span span("attention");
  const auto q = q_.matrix(step.rows(), weights.q.out());
  const auto k = k_.matrix(step.rows(), weights.k.out());
  const auto v = v_.matrix(step.rows(), weights.v.out());
  {
    const Span projections("qkv", {"rows", x.rows}, ops::kernel_note(weights.q));
    input_.reset(x);
    const std::array<ops::LinearCall, 3> calls{{{&weights.q, q}, {&weights.k, k}, {&weights.v, v}}};
    ops::run_linears(input_, calls, step.pool);
  }
  {
    const Span rotate("rotate and store");
    // One pass over the rows, so one barrier, or none at all for the few rows of a decode.
    ops::parallel_rows(step.pool, step.rows(), q.cols + k.cols + v.cols, [&](int64_t begin, int64_t end) {
      prepare_heads(step, q, step.config.heads, weights.q_norm, weights.extras.query_transform.get(), begin,
                    end);
      prepare_heads(step, k, step.config.kv_heads, weights.k_norm, weights.extras.key_transform.get(), begin,
                    end);
      to_channel_codes(step, weights.extras, q, k, v, begin, end);
      store(step, layer, weights.extras, k, v, begin, end);
    });
  }
  const auto heads = heads_.matrix(step.rows(), weights.q.out());
  attention_.run(step, layer, step.config.window(layer), q, heads);
  if (has_channels(step, weights.extras.values)) {
    ops::parallel_rows(step.pool, step.rows(), heads.cols, [&](int64_t begin, int64_t end) {
      ops::from_cache_codes(weights.extras.values, step.config.head_dim, heads.row_range(begin, end - begin));
    });
  }
  const Span o_proj("o_proj", {"rows", x.rows}, ops::kernel_note(weights.o));
  heads_input_.reset(heads);
  const std::array<ops::LinearCall, 1> output{{{&weights.o, out}}};
  ops::run_linears(heads_input_, output, step.pool);
}

}  // namespace tessera::models
