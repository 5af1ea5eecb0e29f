// A whole mixture of experts against float64, and to the bit against its definition row by row: every scheme,
// mixed schemes, experts without rows, all rows to one expert, all experts for every row.
#include "ops/grouped_mlp.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <random>
#include <string>

#include "kernels/scatter_add/scatter_add.h"
#include "kernels/silu_mul/silu_mul.h"
#include "quant/integer_codes.h"

namespace tessera::ops {
namespace {

struct Scheme {
  int bits = 32, activation_bits = 16, group = 0;
  bool is_static = false, transformed = false, output_transformed = false;
};
constexpr Scheme kF32{}, kBf16{.bits = 16}, kW8A8{8, 8}, kW4A8{4, 8}, kW4A4{4, 4}, kW4A4G32{4, 4, 32},
    kW4A16G32{4, 16, 32}, kStatic{.bits = 8, .activation_bits = 8, .is_static = true},
    kTransformed{.bits = 8, .activation_bits = 8, .transformed = true},
    kTransformedOutput{.bits = 8, .activation_bits = 8, .output_transformed = true};

std::vector<float> normal_values(size_t count, uint32_t seed, float deviation = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> values(count);
  for (float& value : values)
    value = normal(random);
  return values;
}

Linear make_linear(int64_t out, int64_t in, const Scheme& scheme, uint32_t seed, ThreadPool& pool) {
  const auto values =
      normal_values(static_cast<size_t>(out * in), seed, 1 / std::sqrt(static_cast<float>(in)));
  quant::LinearData data;
  data.out = out;
  data.in = in;
  data.scheme.weight = {.bits = scheme.bits, .group_size = scheme.group};
  data.scheme.activation = {.bits = scheme.activation_bits, .is_static = scheme.is_static};
  if (scheme.is_static) data.input = {.scale = 0.1F + 0.002F * static_cast<float>(seed % 7)};
  if (scheme.transformed) {
    auto factors = normal_values(static_cast<size_t>(in), seed + 1, 0.1F);
    for (float& factor : factors)
      factor += 1;
    data.transform = {quant::ColumnFactors{factors}};
  }
  if (scheme.output_transformed) data.output_transform = {quant::BlockHadamard{.size = out & -out}};
  if (scheme.bits >= 16) {
    data.values = Tensor(DType::kF32, {out, in});
    std::ranges::copy(values, data.values.as<float>().begin());
  } else {
    data.values = Tensor(DType::kI8, {out, in});
    data.scales.resize(static_cast<size_t>(out * data.groups()));
    const auto width = static_cast<size_t>(in), groups = static_cast<size_t>(data.groups());
    for (size_t row = 0; row < static_cast<size_t>(out); ++row) {
      EXPECT_TRUE(quant::encode_row(std::span(values).subspan(row * width, width), scheme.bits, scheme.group,
                                    DType::kF32, std::span(data.scales).subspan(row * groups, groups),
                                    data.values.as<int8_t>().subspan(row * width, width)));
    }
  }
  const FloatKind kind = scheme.bits == 32 ? FloatKind::kF32 : FloatKind::kBf16;
  auto linear = Linear::pack(std::move(data), {.kind = kind}, pool);
  EXPECT_TRUE(linear.has_value()) << (linear ? "" : linear.error().message());
  return linear ? std::move(*linear) : Linear();
}

/// Gate, up and down of one expert.
using Schemes = std::array<Scheme, 3>;

class Layer {
 public:
  Layer(int experts, int64_t hidden, int64_t intermediate, const std::vector<Schemes>& schemes)
      : hidden_(hidden), intermediate_(intermediate) {
    ThreadPool pool(1);
    for (int expert = 0; expert < experts; ++expert) {
      const Schemes& scheme = schemes[static_cast<size_t>(expert) % schemes.size()];
      const auto seed = static_cast<uint32_t>(expert * 3 + 10);
      linears_.push_back(make_linear(intermediate, hidden, scheme[0], seed, pool));
      linears_.push_back(make_linear(intermediate, hidden, scheme[1], seed + 1, pool));
      linears_.push_back(make_linear(hidden, intermediate, scheme[2], seed + 2, pool));
    }
  }

  int64_t hidden() const { return hidden_; }
  std::vector<GatedLinears> experts() const {
    std::vector<GatedLinears> result;
    for (size_t i = 0; i < linears_.size(); i += 3)
      result.push_back({&linears_[i], &linears_[i + 1], &linears_[i + 2]});
    return result;
  }

  std::vector<float> run(const Visits& visits, const std::vector<float>& x, int threads) const {
    ThreadPool pool(threads);
    std::vector<float> out(x.size(), NAN);
    const auto rows = static_cast<int64_t>(x.size()) / hidden_;
    GroupedMlp mlp;
    for (int turn = 0; turn < 2; ++turn)  // the second in used workspaces
      mlp.forward(experts(), visits, {x.data(), rows, hidden_}, {out.data(), rows, hidden_}, pool);
    return out;
  }

  /// Every visit alone, by linears and nothing else.
  std::vector<float> by_definition(const Visits& visits, const std::vector<float>& x) const {
    ThreadPool pool(1);
    std::vector<float> out(x.size(), 0), gate(static_cast<size_t>(intermediate_)), up(gate),
        y(static_cast<size_t>(hidden_));
    const auto mlps = experts();
    for (size_t expert = 0; expert < mlps.size(); ++expert) {
      const auto rows = visits.rows_of(static_cast<int64_t>(expert));
      for (size_t i = 0; i < rows.size(); ++i) {
        LinearInput input, product;
        input.reset({x.data() + rows[i] * hidden_, 1, hidden_});
        const std::array<LinearCall, 2> wide{{{mlps[expert].gate, {gate.data(), 1, intermediate_}},
                                              {mlps[expert].up, {up.data(), 1, intermediate_}}}};
        run_linears(input, wide, pool);
        kernels::silu_mul({gate.data(), intermediate_, up.data(), intermediate_, gate.data(), intermediate_,
                           1, intermediate_});
        product.reset({gate.data(), 1, intermediate_});
        const std::array<LinearCall, 1> narrow{{{mlps[expert].down, {y.data(), 1, hidden_}}}};
        run_linears(product, narrow, pool);
        const float weight = visits.weights_of(static_cast<int64_t>(expert))[i];
        kernels::scatter_add({y.data(), hidden_, &rows[i], &weight, 1, hidden_, out.data(), hidden_});
      }
    }
    return out;
  }

  /// In float64, from the weights as they are stored; activations are not rounded. No transforms.
  std::vector<double> in_float64(const Visits& visits, const std::vector<float>& x) const {
    std::vector<double> out(x.size(), 0);
    for (size_t expert = 0; expert * 3 < linears_.size(); ++expert) {
      const auto rows = visits.rows_of(static_cast<int64_t>(expert));
      for (size_t i = 0; i < rows.size(); ++i) {
        const auto begin = static_cast<size_t>(rows[i] * hidden_);
        const std::vector<double> row(x.begin() + static_cast<int64_t>(begin),
                                      x.begin() + static_cast<int64_t>(begin) + hidden_);
        auto gate = product(linears_[expert * 3], row);
        const auto up = product(linears_[expert * 3 + 1], row);
        for (size_t k = 0; k < gate.size(); ++k)
          gate[k] = gate[k] / (1 + std::exp(-gate[k])) * up[k];
        const auto y = product(linears_[expert * 3 + 2], gate);
        for (size_t k = 0; k < y.size(); ++k)
          out[begin + k] += y[k] * visits.weights_of(static_cast<int64_t>(expert))[i];
      }
    }
    return out;
  }

 private:
  static std::vector<double> product(const Linear& linear, const std::vector<double>& x) {
    std::vector<double> y;
    std::vector<float> weights(x.size());
    for (int64_t n = 0; n < linear.out(); ++n) {
      linear.read_row(n, weights.data());
      double sum = 0;
      for (size_t k = 0; k < x.size(); ++k)
        sum += weights[k] * x[k];
      y.push_back(sum);
    }
    return y;
  }

  int64_t hidden_, intermediate_;
  std::vector<Linear> linears_;
};

/// Logits in, visits out; `only` >= 0: every row goes there first.
Visits make_visits(int64_t rows, int64_t experts, int32_t chosen, int only = -1) {
  auto logits = normal_values(static_cast<size_t>(rows * experts), 5);
  for (size_t at = static_cast<size_t>(only); only >= 0 && at < logits.size();
       at += static_cast<size_t>(experts))
    logits[at] += 100;
  ThreadPool pool(1);
  MoeRouter router;
  return router.route({logits.data(), rows, experts}, {.chosen_per_row = chosen, .normalize = true}, pool);
}

void expect_same_bits(const std::vector<float>& a, const std::vector<float>& b, const std::string& what) {
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0) << what;
}

double distance(const std::vector<float>& a, const std::vector<double>& b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return std::sqrt(difference / norm);
}

TEST(GroupedMlp, EveryScheme) {
  struct Case {
    const char* name;
    std::vector<Schemes> schemes;  // of expert i: i modulo their number
    double distance;               // from float64, relative, in the 2-norm: by the bits of activations
  };
  const Case cases[] = {
      {"f32", {{kF32, kF32, kF32}}, 1e-6},
      {"bf16", {{kBf16, kBf16, kBf16}}, 5e-3},
      {"w8a8", {{kW8A8, kW8A8, kW8A8}}, 2e-2},
      {"w4a8", {{kW4A8, kW4A8, kW4A8}}, 2e-2},
      {"w4a4", {{kW4A4, kW4A4, kW4A4}}, 0.4},
      {"w4a4-g32", {{kW4A4G32, kW4A4G32, kW4A4G32}}, 0.4},
      {"w4a16-g32", {{kW4A16G32, kW4A16G32, kW4A16G32}}, 5e-3},
      {"w4a4 and w8a8", {{kW4A4, kW4A4, kW8A8}}, 0.4},
      {"unequal gate and up", {{kW8A8, kBf16, kW4A8}}, 2e-2},
      {"another scheme in every expert",
       {{kW8A8, kW8A8, kW8A8}, {kBf16, kF32, kW8A8}, {kW4A8, kW8A8, kF32}},
       2e-2},
      {"static", {{kStatic, kStatic, kW8A8}, {kStatic, kW8A8, kStatic}}, 0.15},
      {"transformed", {{kTransformed, kTransformed, kTransformed}, {kTransformed, kW8A8, kW8A8}}, INFINITY},
      {"transformed outputs",
       {{kTransformedOutput, kTransformed, kTransformedOutput}, {kW8A8, kW8A8, kW8A8}},
       INFINITY},
  };
  for (const Case& c : cases) {
    const Layer layer(5, 96, 64, c.schemes);
    for (const int64_t rows : {1, 2, 33}) {
      const std::string what = std::string(c.name) + ", " + std::to_string(rows) + " rows";
      const Visits visits = make_visits(rows, 5, 2);
      const auto x = normal_values(static_cast<size_t>(rows * 96), 7);
      const auto out = layer.run(visits, x, 2);
      EXPECT_LE(distance(out, layer.in_float64(visits, x)), c.distance) << what;
      expect_same_bits(out, layer.by_definition(visits, x), what);
    }
  }
}

TEST(GroupedMlp, OddSizes) {
  for (const Scheme& scheme : {kF32, kBf16, kW8A8, kW4A4}) {
    const Layer layer(3, 67, 41, {{scheme, scheme, scheme}});
    const Visits visits = make_visits(9, 3, 2);
    const auto x = normal_values(9 * 67, 7);
    expect_same_bits(layer.run(visits, x, 2), layer.by_definition(visits, x), std::to_string(scheme.bits));
  }
}

TEST(GroupedMlp, RoutesOfEveryKind) {
  const Layer layer(8, 64, 96, {{kW4A8, kW4A8, kW8A8}});
  const auto x = normal_values(450 * 64, 7);
  const auto expect = [&](const Visits& visits, int64_t rows, const std::string& what) {
    const std::vector<float> part(x.begin(), x.begin() + rows * 64);
    expect_same_bits(layer.run(visits, part, 2), layer.by_definition(visits, part), what);
  };
  expect(make_visits(450, 8, 1, 3), 450, "all rows to one expert, more than one pass of scratch rows");
  expect(make_visits(20, 8, 8), 20, "all experts for every row");
  const Visits few = make_visits(2, 8, 2);
  EXPECT_TRUE(std::ranges::any_of(few.first, [&](int32_t first) { return first == few.first.back(); }));
  expect(few, 2, "experts without rows");
  Visits gaps{.first = {0, 0, 3, 3, 3, 3, 3, 3, 4}, .rows = {0, 2, 5, 2}, .weights = {1, 0.5F, 2, -1}};
  expect(gaps, 6, "rows without experts");
  expect(Visits{.first = std::vector<int32_t>(9, 0), .rows = {}, .weights = {}}, 3, "no visits at all");
}

TEST(GroupedMlp, ARowDoesNotDependOnItsNeighboursNorOnThreads) {
  for (const Scheme& scheme : {kF32, kBf16, kW8A8, kW4A4}) {
    const Layer layer(6, 64, 96, {{scheme, scheme, scheme}});
    auto logits = normal_values(40 * 6, 5);
    const auto x = normal_values(40 * 64, 7);
    ThreadPool pool(1);
    MoeRouter router;
    const auto run = [&](int64_t begin, int64_t end, int threads) {
      std::vector<float> some(logits.begin() + begin * 6, logits.begin() + end * 6);
      const std::vector<float> part(x.begin() + begin * 64, x.begin() + end * 64);
      return layer.run(router.route({some.data(), end - begin, 6}, {.chosen_per_row = 3}, pool), part,
                       threads);
    };
    const auto whole = run(0, 40, 1);
    EXPECT_EQ(whole, run(0, 40, 2));
    EXPECT_EQ(whole, run(0, 40, 3));
    for (const int64_t step : {1, 3, 13, 39}) {
      std::vector<float> pieces;
      for (int64_t begin = 0; begin < 40; begin += step) {
        const auto piece = run(begin, std::min<int64_t>(begin + step, 40), 2);
        pieces.insert(pieces.end(), piece.begin(), piece.end());
      }
      EXPECT_EQ(whole, pieces) << scheme.bits << " bits, " << step << " rows at a time";
    }
  }
}

TEST(GroupedMlp, ARowThatIsNotANumberStaysAlone) {
  const Layer layer(4, 64, 64, {{kW8A8, kW8A8, kW8A8}});
  auto x = normal_values(6 * 64, 7);
  const Visits visits = make_visits(6, 4, 2);
  const auto clean = layer.run(visits, x, 2);
  x[2 * 64 + 5] = NAN;
  const auto out = layer.run(visits, x, 2);
  for (size_t i = 0; i < out.size(); ++i) {
    if (i / 64 == 2) {
      EXPECT_TRUE(std::isnan(out[i])) << i;
    } else {
      EXPECT_EQ(out[i], clean[i]) << i;
    }
  }
}

}  // namespace
}  // namespace tessera::ops
