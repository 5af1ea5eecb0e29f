#include "models/blocks/paged_attention.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "base/timeline.h"

namespace tessera::models {
namespace {

/// Rows of one task of a prompt: enough to share the loads of keys, few enough to spread it over the cores.
constexpr int64_t kTaskRows = kernels::kAttentionTile;

/// Whether all queries of a head fit one tile: only then do splits cost nothing.
bool fits_a_tile(const Step& step, const RowSpan& span) {
  return span.rows * (step.config.heads / step.config.kv_heads) <= kernels::kAttentionTile;
}

}  // namespace

void PagedAttention::plan_splits(const kernels::AttentionArgs& args) {
  const kernels::SplitRange splits = kernels::attention_splits(args);
  if (splits.end - splits.begin == 1) {
    tasks_.push_back({.args = args});
    return;
  }
  const int64_t stride = args.row_end * (args.heads / args.kv_heads) * kernels::partial_floats(args.head_dim);
  for (int64_t split = splits.begin; split < splits.end; ++split)
    tasks_.push_back({.args = args, .split = split, .merge = static_cast<int64_t>(merges_.size())});
  merges_.push_back({.splits_begin = splits.begin,
                     .remaining = splits.end - splits.begin,
                     .partials = partial_floats_,
                     .stride = stride});
  partial_floats_ += stride * (splits.end - splits.begin);
}

/// The longest tasks first, so that no core ends with one: rows of prompts, of which the last see the most;
/// then splits.
void PagedAttention::plan(const Step& step, const kernels::AttentionArgs& common, MatrixView<const float> q,
                          MatrixView<float> out) {
  tasks_.clear();
  merges_.clear();
  partial_floats_ = 0;
  const auto args_of = [&](const RowSpan& span, int32_t kv_head) {
    kernels::AttentionArgs args = common;
    args.q = q.row(span.first);
    args.out = out.row(span.first);
    args.start = span.start;
    args.pages = span.pages.data();
    args.row_end = span.rows;
    args.kv_head_begin = kv_head;
    args.kv_head_end = kv_head + 1;
    return args;
  };
  for (const RowSpan& span : step.spans) {
    if (fits_a_tile(step, span)) continue;
    for (int64_t end = span.rows; end > 0; end -= kTaskRows) {
      for (int32_t kv_head = 0; kv_head < step.config.kv_heads; ++kv_head) {
        Task& task = tasks_.emplace_back(Task{.args = args_of(span, kv_head)});
        task.args.row_begin = std::max<int64_t>(0, end - kTaskRows);
        task.args.row_end = end;
      }
    }
  }
  for (const RowSpan& span : step.spans) {
    if (!fits_a_tile(step, span)) continue;
    for (int32_t kv_head = 0; kv_head < step.config.kv_heads; ++kv_head)
      plan_splits(args_of(span, kv_head));
  }
}

void PagedAttention::run_task(const Task& task) {
  if (task.merge < 0) {
    kernels::attention(task.args);
    return;
  }
  Merge& merge = merges_[static_cast<size_t>(task.merge)];
  float* partials = partials_base_ + merge.partials;
  kernels::attention_split(task.args, task.split,
                           partials + (task.split - merge.splits_begin) * merge.stride);
  // Acquire and release: the last to finish sees what all others wrote.
  if (std::atomic_ref(merge.remaining).fetch_sub(1, std::memory_order_acq_rel) == 1)
    kernels::attention_merge(task.args, partials);
}

void PagedAttention::run(const Step& step, int32_t layer, int32_t window, MatrixView<const float> q,
                         MatrixView<float> out) {
  const Span span("attend", {"sequences", static_cast<int64_t>(step.spans.size())});
  const auto& shape = step.cache.shape();
  kernels::AttentionArgs common;
  common.q_row_stride = q.stride;
  common.out_row_stride = out.stride;
  common.cache_type = shape.type;
  common.k_cache = step.cache.keys(layer);
  common.v_cache = step.cache.values(layer);
  common.strides = step.cache.strides();
  common.page_size = shape.page_size;
  common.heads = step.config.heads;
  common.kv_heads = shape.kv_heads;
  common.head_dim = shape.head_dim;
  common.scale = 1.0F / std::sqrt(static_cast<float>(shape.head_dim));
  common.window = window;
  plan(step, common, q, out);
  partials_base_ = partials_.matrix(1, partial_floats_).data;
  step.pool.parallel_for(tasks_.size(), [this](size_t task) { run_task(tasks_[task]); });
}

}  // namespace tessera::models
