#include "kernels/hadamard/hadamard.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "kernels/test_data.h"

namespace tessera::kernels {
namespace {

using testing::Random;

std::vector<float> signs_of(int64_t base) {
  std::vector<float> signs(static_cast<size_t>(base * base));
  hadamard_signs(base, signs.data());
  return signs;
}

TEST(HadamardMatrix, RowsAreOrthogonal) {
  int orders = 0;
  for (int64_t base = 4; base <= kMaxHadamardBase; base += 4) {
    if (hadamard_base(base) != base) continue;
    ++orders;
    const std::vector<float> signs = signs_of(base);
    for (int64_t i = 0; i < base; ++i) {
      for (int64_t j = 0; j < base; ++j) {
        ASSERT_EQ(std::abs(signs[static_cast<size_t>(i * base + j)]), 1.0F);
        float dot = 0;
        for (int64_t k = 0; k < base; ++k)
          dot += signs[static_cast<size_t>(i * base + k)] * signs[static_cast<size_t>(j * base + k)];
        ASSERT_EQ(dot, i == j ? static_cast<float>(base) : 0.0F) << base << ": " << i << ", " << j;
      }
    }
  }
  EXPECT_EQ(orders, 25);
}

TEST(HadamardMatrix, BasesOfTheSizesOfModels) {
  const std::pair<int64_t, int64_t> expected[] = {
      {1, 1},       {4096, 1},     {12288, 12},   {14336, 28},   {9728, 76},   {18944, 148},
      {17408, 68},  {25600, 100},  {27648, 108},  {5120, 20},    {2560, 20},   {3584, 28},
      {768, 12},    {24 * 64, 12}, {36 * 16, 36}, {40 * 32, 20}, {44 * 8, 44}, {52 * 4, 52},
      {60 * 2, 60}, {6, 0},        {3, 0},        {92, 0},       {92 * 2, 0},  {0, 0}};
  for (const auto& [n, base] : expected)
    EXPECT_EQ(hadamard_base(n), base) << n;
}

double entry(const std::vector<float>& signs, int64_t base, int64_t run, int64_t i, int64_t j) {
  const int parity = std::popcount(static_cast<uint64_t>(i % run & j % run)) % 2;
  return signs[static_cast<size_t>(i / run * base + j / run)] * (parity == 0 ? 1.0 : -1.0);
}

/// The contract's operations in the contract's order.
void transform_as_defined(float* x, int64_t block, int64_t base, const std::vector<float>& signs,
                          bool transposed) {
  const int64_t run = block / base;
  const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(block)));
  for (int64_t i = 0; i < block; ++i)
    x[i] *= scale;
  for (int64_t h = 1; h < run; h *= 2) {
    for (int64_t i = 0; i < block; ++i) {
      if ((i & h) != 0) continue;
      const float a = x[i], b = x[i + h];
      x[i] = a + b;
      x[i + h] = a - b;
    }
  }
  if (base == 1) return;
  const std::vector<float> in(x, x + block);
  for (int64_t i = 0; i < block; ++i) {
    x[i] = 0;
    for (int64_t b = 0; b < base; ++b) {
      const int64_t at = transposed ? i / run * base + b : b * base + i / run;
      x[i] = std::fmaf(signs[static_cast<size_t>(at)], in[static_cast<size_t>(b * run + i % run)], x[i]);
    }
  }
}

struct Size {
  int64_t block, blocks;
};
constexpr Size kSizes[] = {{1, 3},       {2, 5},       {4, 4},       {8, 2},   {16, 1},   {16, 17}, {32, 3},
                           {64, 5},      {128, 2},     {256, 3},     {512, 1}, {1024, 1}, {12, 3},  {24, 1},
                           {44, 2},      {60, 1},      {192, 4},     {768, 1}, {320, 2},  {448, 1}, {576, 1},
                           {44 * 16, 1}, {52 * 32, 1}, {60 * 16, 1}, {1216, 1}};

TEST(Hadamard, IsTheDefinedTransformAndNearTheMatrix) {
  Random random(1);
  for (const auto& [block, blocks] : kSizes) {
    for (const bool transposed : {false, true}) {
      const int64_t base = hadamard_base(block), k = block * blocks, stride = k + 3, rows = 2;
      ASSERT_GT(base, 0) << block;
      const std::vector<float> signs = signs_of(base), x = random.floats(rows * stride);
      std::vector<float> y = x, defined = x;
      hadamard({y.data(), stride, rows, k, block, base, signs.data(), transposed});
      for (int64_t row = 0; row < rows; ++row) {
        for (int64_t begin = 0; begin < k; begin += block)
          transform_as_defined(defined.data() + row * stride + begin, block, base, signs, transposed);
      }
      ASSERT_EQ(y, defined) << block << " x " << blocks;
      const int64_t run = block / base;
      for (int64_t j = 0; j < block; ++j) {
        double sum = 0, magnitude = 0;
        for (int64_t i = 0; i < block; ++i) {
          const double h = transposed ? entry(signs, base, run, j, i) : entry(signs, base, run, i, j);
          sum += h * x[static_cast<size_t>(i)];
          magnitude += std::abs(x[static_cast<size_t>(i)]);
        }
        // Scale, butterflies, and the rows of B: each rounds by 2^-24 of what was summed.
        const double root = std::sqrt(static_cast<double>(block));
        const double bound =
            static_cast<double>(std::bit_width(static_cast<uint64_t>(run)) + base + 2) * 0x1p-24;
        ASSERT_NEAR(y[static_cast<size_t>(j)], sum / root, bound * magnitude / root) << block << ": " << j;
      }
    }
  }
}

TEST(Hadamard, TheTransposeUndoesIt) {
  Random random(2);
  for (const int64_t block : {64, 768, 9728, 2560}) {
    const int64_t base = hadamard_base(block);
    const std::vector<float> signs = signs_of(base), x = random.floats(block);
    std::vector<float> y = x;
    hadamard({y.data(), block, 1, block, block, base, signs.data(), false});
    EXPECT_NE(y, x);
    hadamard({y.data(), block, 1, block, block, base, signs.data(), true});
    for (size_t i = 0; i < y.size(); ++i)
      ASSERT_NEAR(y[i], x[i], 1e-5) << block;
  }
}

TEST(Hadamard, NanStaysInItsBlock) {
  Random random(3);
  std::vector<float> x = random.floats(3 * 64);
  x[70] = NAN;
  hadamard({x.data(), 192, 1, 192, 64, 1, nullptr, false});
  for (size_t i = 0; i < x.size(); ++i)
    EXPECT_EQ(std::isnan(x[i]), i / 64 == 1) << i;
}

}  // namespace
}  // namespace tessera::kernels
