// PagedAttention: attention of all rows of a step over the cache, with one barrier. Long prompts are cut into
// ranges of rows; the context of sequences with few rows is cut into the kernel's splits, so that one long
// sequence uses every core, and whoever finishes the last split of a sequence and head merges them. The
// kernel gives a row the same bits either way. One caller at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/attention/attention.h"
#include "models/blocks/step.h"
#include "models/blocks/workspace.h"
#include "tensor/matrix.h"

namespace tessera::models {

class PagedAttention {
 public:
  /// q, out: [rows, heads * head_dim]; out is not q. `window`: positions a row sees, 0 for all.
  void run(const Step& step, int32_t layer, int32_t window, MatrixView<const float> q, MatrixView<float> out);

 private:
  /// Splits of the same rows and head, and how many are not done.
  struct Merge {
    int64_t splits_begin = 0, remaining = 0;
    int64_t partials = 0, stride = 0;  // floats: where the first split's lie, and from split to split
  };
  struct Task {
    kernels::AttentionArgs args;
    int64_t split = 0;
    int64_t merge = -1;  // index of the Merge it belongs to; -1: the task is all splits
  };

  void plan(const Step& step, const kernels::AttentionArgs& common, MatrixView<const float> q,
            MatrixView<float> out);
  void plan_splits(const kernels::AttentionArgs& args);
  void run_task(const Task& task);

  std::vector<Task> tasks_;
  std::vector<Merge> merges_;
  int64_t partial_floats_ = 0;
  Workspace partials_;
  float* partials_base_ = nullptr;
};

}  // namespace tessera::models
