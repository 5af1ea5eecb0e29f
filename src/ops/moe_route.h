// Router of a mixture of experts: logits -> which rows go to which expert, and with what weight. The
// arithmetic is that of kernels/moe_route. No state; one caller at a time, as of the pool.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "tensor/matrix.h"

namespace tessera::ops {

struct RouteRule {
  int32_t chosen_per_row = 1;  // 1 to the number of experts
  bool normalize = false;      // the weights of a row are scaled to sum to 1
};

/// Rows sorted by expert: the visits of expert e are first[e] to first[e + 1] - 1.
struct Visits {
  std::vector<int32_t> first;  // [experts + 1]
  std::vector<int32_t> rows;   // [visits], ascending within an expert
  std::vector<float> weights;  // [visits]

  int64_t experts() const { return static_cast<int64_t>(first.size()) - 1; }
  int64_t count(int64_t expert) const {
    return first[static_cast<size_t>(expert) + 1] - first[static_cast<size_t>(expert)];
  }
  std::span<const int32_t> rows_of(int64_t expert) const { return part(rows, expert); }
  std::span<const float> weights_of(int64_t expert) const { return part(weights, expert); }

 private:
  template <class T>
  std::span<const T> part(const std::vector<T>& all, int64_t expert) const {
    return std::span(all).subspan(static_cast<size_t>(first[static_cast<size_t>(expert)]),
                                  static_cast<size_t>(count(expert)));
  }
};

class MoeRouter {
 public:
  /// logits [rows, experts] are overwritten. The result is valid until the next call.
  const Visits& route(MatrixView<float> logits, const RouteRule& rule, ThreadPool& pool);

 private:
  void sort(int64_t rows, int64_t experts, int64_t chosen_per_row);

  std::vector<int32_t> chosen_;  // [rows, chosen_per_row]
  std::vector<float> weights_;   // of chosen_
  std::vector<int32_t> next_;    // [experts]: where the next visit of each goes
  Visits visits_;
};

}  // namespace tessera::ops
