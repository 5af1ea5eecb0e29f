#include "models/blocks/attention_block.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "kernels/attention/attention.h"
#include "kernels/kv_store/kv_store.h"
#include "kernels/rmsnorm/rmsnorm.h"
#include "kernels/rope/rope.h"
#include "ops/parallel_rows.h"

namespace tessera::models {
namespace {

/// Norm (if the architecture has one) and rotation of `heads` heads per row, in place.
void prepare_heads(const Step& step, MatrixView<float> x, int32_t heads, const std::vector<float>& norm) {
  const int64_t head_dim = step.config.head_dim;
  ops::parallel_rows(step.pool, x.rows, x.cols, [&](int64_t begin, int64_t end) {
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
  });
}

void store(const Step& step, int32_t layer, MatrixView<const float> k, MatrixView<const float> v) {
  const auto& shape = step.cache.shape();
  step.pool.parallel_for(step.spans.size(), [&](size_t i) {
    const RowSpan& span = step.spans[i];
    kernels::kv_store({.k = k.row(span.first),
                       .k_row_stride = k.stride,
                       .v = v.row(span.first),
                       .v_row_stride = v.stride,
                       .rows = span.rows,
                       .start = span.start,
                       .cache_type = shape.type,
                       .k_cache = step.cache.keys(layer),
                       .v_cache = step.cache.values(layer),
                       .strides = step.cache.strides(),
                       .pages = span.pages.data(),
                       .page_size = shape.page_size,
                       .kv_heads = shape.kv_heads,
                       .head_dim = shape.head_dim});
  });
}

/// Rows of one task: enough to share the gathered keys, few enough to spread a prompt over the cores.
constexpr int64_t kTaskRows = 48;

void attend(const Step& step, int32_t layer, MatrixView<const float> q, MatrixView<float> out) {
  const auto& shape = step.cache.shape();
  struct Task {
    const RowSpan* span;
    int64_t begin, end;
    int32_t kv_head;
  };
  std::vector<Task> tasks;
  for (const RowSpan& span : step.spans) {
    for (int64_t begin = 0; begin < span.rows; begin += kTaskRows) {
      for (int32_t kv_head = 0; kv_head < shape.kv_heads; ++kv_head)
        tasks.push_back({&span, begin, std::min(begin + kTaskRows, span.rows), kv_head});
    }
  }
  // The last rows of a prompt see the most: they go first, so that no core ends with the longest task.
  std::ranges::reverse(tasks);
  step.pool.parallel_for(tasks.size(), [&](size_t i) {
    const Task& task = tasks[i];
    kernels::attention({.q = q.row(task.span->first),
                        .q_row_stride = q.stride,
                        .out = out.row(task.span->first),
                        .out_row_stride = out.stride,
                        .start = task.span->start,
                        .cache_type = shape.type,
                        .k_cache = step.cache.keys(layer),
                        .v_cache = step.cache.values(layer),
                        .strides = step.cache.strides(),
                        .pages = task.span->pages.data(),
                        .page_size = shape.page_size,
                        .heads = step.config.heads,
                        .kv_heads = shape.kv_heads,
                        .head_dim = shape.head_dim,
                        .scale = 1.0F / std::sqrt(static_cast<float>(shape.head_dim)),
                        .row_begin = task.begin,
                        .row_end = task.end,
                        .kv_head_begin = task.kv_head,
                        .kv_head_end = task.kv_head + 1});
  });
}

}  // namespace

void AttentionBlock::forward(const Step& step, int32_t layer, const AttentionWeights& weights,
                             MatrixView<const float> x, MatrixView<float> out) {
  const auto q = q_.matrix(step.rows(), weights.q.out());
  const auto k = k_.matrix(step.rows(), weights.k.out());
  const auto v = v_.matrix(step.rows(), weights.v.out());
  input_.reset(x);
  const std::array<ops::LinearCall, 3> projections{{{&weights.q, q}, {&weights.k, k}, {&weights.v, v}}};
  ops::run_linears(input_, projections, step.pool);
  prepare_heads(step, q, step.config.heads, weights.q_norm);
  prepare_heads(step, k, step.config.kv_heads, weights.k_norm);
  store(step, layer, k, v);
  const auto heads = heads_.matrix(step.rows(), weights.q.out());
  attend(step, layer, q, heads);
  heads_input_.reset(heads);
  const std::array<ops::LinearCall, 1> output{{{&weights.o, out}}};
  ops::run_linears(heads_input_, output, step.pool);
}

}  // namespace tessera::models
