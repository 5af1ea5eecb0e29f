// To the bit against linears and SiLU one after the other, which have their own tests.
#include "ops/gated_mlp.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <random>

#include "kernels/silu_mul/silu_mul.h"

namespace tessera::ops {
namespace {

std::vector<float> normal_values(int64_t count, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values)
    value = normal(random);
  return values;
}

Linear make_linear(int64_t out, int64_t in, int bits, uint32_t seed, ThreadPool& pool) {
  quant::LinearData data;
  data.out = out;
  data.in = in;
  data.scheme.weight.bits = bits;
  data.bias = normal_values(out, seed + 100);
  const auto values = normal_values(out * in, seed);
  if (bits >= 16) {
    data.values = Tensor(DType::kF32, {out, in});
    std::ranges::copy(values, data.values.as<float>().begin());
  } else {
    data.scheme.activation.bits = 8;
    data.values = Tensor(DType::kI8, {out, in});
    std::ranges::transform(values, data.values.as<int8_t>().begin(),
                           [](float x) { return static_cast<int8_t>(std::clamp(x * 2, -8.0F, 7.0F)); });
    data.scales.assign(static_cast<size_t>(out), 0.01F);
  }
  return Linear::pack(std::move(data), {.kind = bits == 32 ? FloatKind::kF32 : FloatKind::kBf16}, pool)
      .value();
}

TEST(GatedMlp, EqualsItsStepsForAnyRowsAndThreads) {
  ThreadPool single(1);
  for (const auto& bits :
       {std::array{32, 32, 32}, std::array{16, 16, 16}, std::array{8, 8, 8}, std::array{4, 8, 16}}) {
    const int64_t hidden = 67, wide = 201;
    const Linear gate = make_linear(wide, hidden, bits[0], 1, single);
    const Linear up = make_linear(wide, hidden, bits[1], 2, single);
    const Linear down = make_linear(hidden, wide, bits[2], 3, single);
    for (const int64_t rows : {1, 5, 200}) {
      const auto x = normal_values(rows * hidden, 7);
      const MatrixView<const float> input(x.data(), rows, hidden);
      std::vector<float> g(static_cast<size_t>(rows * wide)), u(g), expected(x.size());
      LinearInput first, second;
      first.reset(input);
      run_linears(first,
                  std::array<LinearCall, 2>{{{&gate, {g.data(), rows, wide}}, {&up, {u.data(), rows, wide}}}},
                  single);
      kernels::silu_mul({g.data(), wide, u.data(), wide, g.data(), wide, rows, wide});
      second.reset({g.data(), rows, wide});
      run_linears(second, std::array<LinearCall, 1>{{{&down, {expected.data(), rows, hidden}}}}, single);
      for (const int threads : {1, 2, 3}) {
        ThreadPool pool(threads);
        GatedMlp mlp;
        std::vector<float> out(x.size(), NAN);
        mlp.forward({&gate, &up, &down}, input, {out.data(), rows, hidden}, pool);
        EXPECT_EQ(std::memcmp(out.data(), expected.data(), out.size() * sizeof(float)), 0)
            << bits[0] << " bits, " << rows << " rows, " << threads << " threads";
      }
    }
  }
}

}  // namespace
}  // namespace tessera::ops
