#include "ops/moe_route.h"

#include "kernels/moe_route/moe_route.h"
#include "ops/parallel_rows.h"

namespace tessera::ops {
namespace {

/// A logit costs about as much as 16 elements of what parallel_rows() has in mind: an exponential, and its
/// share of the selection.
constexpr int64_t kLogitCost = 16;

}  // namespace

const Visits& MoeRouter::route(MatrixView<float> logits, const RouteRule& rule, ThreadPool& pool) {
  const int64_t k = rule.chosen_per_row;
  CHECK(k >= 1 && k <= logits.cols, "{} of {} experts", k, logits.cols);
  chosen_.resize(static_cast<size_t>(logits.rows * k));
  weights_.resize(chosen_.size());
  parallel_rows(pool, logits.rows, logits.cols * kLogitCost, [&](int64_t begin, int64_t end) {
    kernels::moe_route({.shares = logits.row(begin),
                        .shares_stride = logits.stride,
                        .rows = end - begin,
                        .experts = static_cast<int32_t>(logits.cols),
                        .chosen_per_row = rule.chosen_per_row,
                        .normalize = rule.normalize,
                        .chosen = chosen_.data() + begin * k,
                        .weights = weights_.data() + begin * k});
  });
  sort(logits.rows, logits.cols, k);
  return visits_;
}

/// Counting sort by expert; rows stay ascending.
void MoeRouter::sort(int64_t rows, int64_t experts, int64_t chosen_per_row) {
  visits_.first.assign(static_cast<size_t>(experts) + 1, 0);
  for (const int32_t expert : chosen_)
    ++visits_.first[static_cast<size_t>(expert) + 1];
  for (size_t expert = 0; expert < static_cast<size_t>(experts); ++expert)
    visits_.first[expert + 1] += visits_.first[expert];
  next_.assign(visits_.first.begin(), visits_.first.end() - 1);
  visits_.rows.resize(chosen_.size());
  visits_.weights.resize(chosen_.size());
  size_t from = 0;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < chosen_per_row; ++i, ++from) {
      const auto to = static_cast<size_t>(next_[static_cast<size_t>(chosen_[from])]++);
      visits_.rows[to] = static_cast<int32_t>(row);
      visits_.weights[to] = weights_[from];
    }
  }
}

}  // namespace tessera::ops
