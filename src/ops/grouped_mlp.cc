#include "ops/grouped_mlp.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/timeline.h"
#include "kernels/gemm_s8/pack_s8.h"
#include "kernels/scatter_add/scatter_add.h"
#include "ops/kernel_note.h"
#include "ops/parallel_lanes.h"

namespace tessera::ops {
namespace {

/// Reading a panel from memory takes about as long as multiplying it with this many rows (6 to 12 here, by
/// bits of the weights).
constexpr int64_t kReadingCost = 8;
/// Tasks a worker, where there are not more experts than that: what the cores are disturbed by evens out.
constexpr int64_t kTasksPerWorker = 8;
/// Panels that the kernels like to take at a time at few rows.
constexpr int64_t kPanelStep = 4;

int64_t round_up(int64_t value, int64_t step) {
  return (value + step - 1) / step * step;
}

}  // namespace

void GroupedMlp::forward(std::span<const GatedLinears> experts, const Visits& visits,
                         MatrixView<const float> x, MatrixView<float> out, ThreadPool& pool) {
  CHECK(visits.experts() == static_cast<int64_t>(experts.size()) && out.rows == x.rows,
        "{} experts of {}, {} rows to {}", visits.experts(), experts.size(), x.rows, out.rows);
  if (WholeRowMlp::wanted(experts)) return whole_rows_.forward(experts, visits, x, out, pool);
  make_groups(experts, visits, x, pool);
  make_tasks(pool);
  while (lanes_.size() < lane_count(pool))
    lanes_.emplace_back();
  for (Lane& lane : lanes_)
    lane.group = SIZE_MAX;
  {
    const Span span("gate_up and silu", {"experts", static_cast<int64_t>(groups_.size())},
                    kernel_note(*experts.front().gate));
    parallel_lanes(pool, tasks_.size(),
                   [&](size_t lane, size_t task) { run_product(lanes_[lane], tasks_[task]); });
  }
  const Span span("down", {"experts", static_cast<int64_t>(groups_.size())},
                  kernel_note(*experts.front().down));
  const int64_t panels = kernels::panels(out.cols);
  const int64_t step = round_up(std::max<int64_t>(1, panels / (kTasksPerWorker * pool.size())), kPanelStep);
  parallel_lanes(pool, static_cast<size_t>((panels + step - 1) / step), [&](size_t lane, size_t task) {
    const int64_t begin = static_cast<int64_t>(task) * step;
    run_down(lanes_[lane], begin, std::min(begin + step, panels), out);
  });
}

void GroupedMlp::make_groups(std::span<const GatedLinears> experts, const Visits& visits,
                             MatrixView<const float> x, ThreadPool& pool) {
  groups_.clear();
  input_.reset(x);
  int64_t intermediate = 0;
  for (size_t expert = 0; expert < experts.size(); ++expert) {
    const auto rows = visits.rows_of(static_cast<int64_t>(expert));
    if (rows.empty()) continue;
    const GatedLinears& mlp = experts[expert];
    intermediate = mlp.gate->out();
    CHECK(mlp.up->out() == intermediate && mlp.down->in() == intermediate && mlp.gate->in() == x.cols,
          "expert {}: gate [{}, {}], up [{}, {}], down [{}, {}] over {} columns", expert, mlp.gate->out(),
          mlp.gate->in(), mlp.up->out(), mlp.up->in(), mlp.down->out(), mlp.down->in(), x.cols);
    groups_.push_back({.mlp = mlp,
                       .rows = rows,
                       .weights = visits.weights_of(static_cast<int64_t>(expert)),
                       .gate_x = GroupedInput::share(*mlp.gate, input_, pool),
                       .up_x = GroupedInput::share(*mlp.up, input_, pool)});
  }
  product_.reserve(visits.rows.size() * static_cast<size_t>(intermediate) * sizeof(float));
  float* product = product_.as<float>();
  for (Group& group : groups_) {
    const auto rows = static_cast<int64_t>(group.rows.size());
    group.product = {product, rows, intermediate};
    product += rows * intermediate;
  }
  while (down_inputs_.size() < groups_.size())
    down_inputs_.emplace_back();
}

void GroupedMlp::make_tasks(const ThreadPool& pool) {
  tasks_.clear();
  const auto panel_cost = [](const Group& group) { return group.product.rows + kReadingCost; };
  int64_t total = 0;
  for (const Group& group : groups_)
    total += panel_cost(group) * kernels::panels(group.product.cols);
  const int64_t target = total / (kTasksPerWorker * pool.size());
  for (size_t i = 0; i < groups_.size(); ++i) {
    Group& group = groups_[i];
    const int64_t panels = kernels::panels(group.product.cols);
    const int64_t step = round_up(std::max<int64_t>(1, target / panel_cost(group)), kPanelStep);
    for (int64_t begin = 0; begin < panels; begin += step) {
      const int64_t end = std::min(begin + step, panels);
      tasks_.push_back({i, begin, end, panel_cost(group) * (end - begin)});
    }
    group.tasks_left = static_cast<int32_t>((panels + step - 1) / step);
  }
  std::ranges::stable_sort(tasks_, std::greater{}, &Task::cost);
}

void GroupedMlp::run_product(Lane& lane, const Task& task) {
  Group& group = groups_[task.group];
  if (lane.group != task.group) lane.input.reset(group.rows);
  lane.group = task.group;
  lane.product.run(
      group.mlp, lane.input.operand(*group.mlp.gate, group.gate_x),
      lane.input.operand(*group.mlp.up, group.up_x),
      {.row_end = group.product.rows, .panel_begin = task.panel_begin, .panel_end = task.panel_end},
      group.product);
  // Releases this task's columns, acquires those of the others.
  if (std::atomic_ref(group.tasks_left).fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  LinearInput& input = down_inputs_[task.group];
  input.reset(group.product);
  group.down_x = group.mlp.down->operand(input, lane.serial);
}

void GroupedMlp::run_down(Lane& lane, int64_t panel_begin, int64_t panel_end, MatrixView<float> out) const {
  const int64_t first_col = panel_begin * kernels::kPanel;
  const int64_t cols = std::min(panel_end * kernels::kPanel, out.cols) - first_col;
  // Dense, not in `out`: its rows are often a power of two apart, and few of them fit the cache then.
  const MatrixView<float> sums = lane.sums.rows(out.rows, cols);
  std::fill_n(sums.data, sums.rows * sums.stride, 0.0F);
  for (const Group& group : groups_) {
    const int64_t rows = group.product.rows;
    const MatrixView<float> result = lane.result.rows(std::min(rows, kScratchRows), out.cols);
    for (int64_t row = 0; row < rows; row += kScratchRows) {
      const int64_t count = std::min(kScratchRows, rows - row);
      group.mlp.down->weights().multiply(
          row_range(group.down_x, row, count),
          {.bias = group.mlp.down->bias(), .y = result.data, .y_stride = result.stride},
          {.row_end = count, .panel_begin = panel_begin, .panel_end = panel_end});
      kernels::scatter_add({.x = result.data + first_col,
                            .x_stride = result.stride,
                            .rows = group.rows.data() + row,
                            .weights = group.weights.data() + row,
                            .count = count,
                            .cols = cols,
                            .y = sums.data,
                            .y_stride = sums.stride});
    }
  }
  for (int64_t row = 0; row < out.rows; ++row)
    std::memcpy(out.row(row) + first_col, sums.row(row), static_cast<size_t>(cols) * sizeof(float));
}

}  // namespace tessera::ops
