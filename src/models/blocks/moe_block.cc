#include "models/blocks/moe_block.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>

#include "kernels/axpy/axpy.h"

namespace tessera::models {
namespace {

void softmax(std::vector<float>& values) {
  const float top = *std::ranges::max_element(values);
  float total = 0;
  for (float& value : values) {
    value = std::exp(value - top);
    total += value;
  }
  for (float& value : values)
    value /= total;
}

}  // namespace

std::vector<std::vector<Visit>> route(const MoeConfig& moe, MatrixView<const float> logits) {
  std::vector<std::vector<Visit>> visits(static_cast<size_t>(moe.experts));
  std::vector<int32_t> order(static_cast<size_t>(moe.experts));
  for (int64_t row = 0; row < logits.rows; ++row) {
    std::vector<float> shares(logits.row(row), logits.row(row) + logits.cols);
    softmax(shares);
    std::iota(order.begin(), order.end(), 0);
    const auto share_of = [&](int32_t expert) { return shares[static_cast<size_t>(expert)]; };
    const auto chosen_end = order.begin() + moe.experts_per_token;
    std::partial_sort(order.begin(), chosen_end, order.end(), [&](int32_t a, int32_t b) {
      return share_of(a) != share_of(b) ? share_of(a) > share_of(b) : a < b;
    });
    float total = 0;
    for (auto expert = order.begin(); expert != chosen_end; ++expert)
      total += share_of(*expert);
    const float divisor = moe.normalize_weights ? total : 1.0F;
    for (auto expert = order.begin(); expert != chosen_end; ++expert)
      visits[static_cast<size_t>(*expert)].push_back({row, share_of(*expert) / divisor});
  }
  return visits;
}

void MoeBlock::forward(const MoeConfig& moe, const MoeWeights& weights, MatrixView<const float> x,
                       MatrixView<float> out, ThreadPool& pool) {
  const auto logits = logits_.matrix(x.rows, moe.experts);
  input_.reset(x);
  const std::array<ops::LinearCall, 1> router{{{&weights.router, logits}}};
  ops::run_linears(input_, router, pool);
  const auto width = static_cast<size_t>(x.cols) * sizeof(float);
  for (int64_t row = 0; row < out.rows; ++row)
    std::memset(out.row(row), 0, width);
  const auto visits = route(moe, logits);
  for (size_t expert = 0; expert < visits.size(); ++expert) {
    const auto& rows = visits[expert];
    if (rows.empty()) continue;
    const auto count = static_cast<int64_t>(rows.size());
    const auto gathered = gathered_.matrix(count, x.cols), result = result_.matrix(count, x.cols);
    for (int64_t i = 0; i < count; ++i)
      std::memcpy(gathered.row(i), x.row(rows[static_cast<size_t>(i)].row), width);
    expert_.forward(weights.experts[expert], gathered, result, pool);
    for (int64_t i = 0; i < count; ++i) {
      const Visit& visit = rows[static_cast<size_t>(i)];
      kernels::axpy(visit.weight, result.row(i), out.row(visit.row), x.cols);
    }
  }
}

}  // namespace tessera::models
