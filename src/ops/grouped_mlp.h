// GroupedMlp: the MLPs of a mixture of experts, each over the rows that visit it, in two parallel regions:
//
//   1. Tasks are (expert, range of panels), the largest first: the expert's rows are gathered from codes
//      that were made once for all rows, multiplied with gate and up, and passed through SiLU while they are
//      in the cache. Whoever finishes an expert makes its product's codes, which need whole rows.
//   2. Tasks are ranges of the output's panels: all experts in ascending order, each multiplied with its
//      range of down and added to the rows of the output with the visits' weights.
//
// So every output is summed by one worker, experts ascending: a row has the same bits alone or in any batch,
// and with any number of threads. Every linear may have a scheme of its own; where outputs are transformed,
// WholeRowMlp does it all. Owns workspaces that grow and are reused; one caller at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "ops/gated_product.h"
#include "ops/grouped_input.h"
#include "ops/moe_route.h"
#include "ops/whole_row_mlp.h"

namespace tessera::ops {

class GroupedMlp {
 public:
  /// out[r] = sum over r's visits, experts ascending, of weight * mlp(x[r]). x and out [rows, hidden], not
  /// the same. Experts are equal in shape; those without visits are not read.
  void forward(std::span<const GatedLinears> experts, const Visits& visits, MatrixView<const float> x,
               MatrixView<float> out, ThreadPool& pool);

 private:
  /// An expert with visits.
  struct Group {
    GatedLinears mlp;
    std::span<const int32_t> rows;
    std::span<const float> weights;
    Operand gate_x, up_x;            // of all rows
    MatrixView<float> product = {};  // [rows, intermediate]
    Operand down_x = {};
    int32_t tasks_left = 0;
  };
  struct Task {
    size_t group;
    int64_t panel_begin, panel_end;
    int64_t cost;
  };
  /// What one worker needs.
  struct Lane {
    GroupedInput input;
    size_t group = SIZE_MAX;  // whose rows are in `input`
    GatedProduct product;
    ScratchRows result, sums;
    ThreadPool serial{1};
  };

  void make_groups(std::span<const GatedLinears> experts, const Visits& visits, MatrixView<const float> x,
                   ThreadPool& pool);
  void make_tasks(const ThreadPool& pool);
  void run_product(Lane& lane, const Task& task);
  void run_down(Lane& lane, int64_t panel_begin, int64_t panel_end, MatrixView<float> out) const;

  LinearInput input_;
  AlignedBuffer product_;
  std::vector<Group> groups_;
  std::vector<Task> tasks_;
  std::deque<LinearInput> down_inputs_;  // by group
  std::deque<Lane> lanes_;               // by worker; deques, because neither can be moved
  WholeRowMlp whole_rows_;
};

}  // namespace tessera::ops
