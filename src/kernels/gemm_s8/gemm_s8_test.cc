#include "kernels/gemm_s8/gemm_s8.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "kernels/test_data.h"

namespace tessera::kernels {
namespace {

using testing::Random;

/// One problem: operands, their packed form, and the answers by the definition.
struct Problem {
  int64_t m, n, k, group_size;
  int bits, x_bits;
  std::vector<int8_t> x, w;         // [m, padded k + odd gap], [n, k]
  std::vector<int32_t> block_sums;  // [m, padded k / 32]
  std::vector<float> sx, sw, bias;  // [m], [n, groups], [n]
  std::vector<uint8_t> tiles;
  std::vector<float> packed_scales;

  int64_t groups() const { return group_size == 0 ? 1 : k / group_size; }
  int64_t stride() const { return padded_k(k) + 1; }

  Problem(Random& random, int64_t m_in, int64_t n_in, int64_t k_in, int bits_in, int x_bits_in,
          int64_t group = 0)
      : m(m_in), n(n_in), k(k_in), group_size(group), bits(bits_in), x_bits(x_bits_in) {
    const std::vector<int8_t> dense = random.codes(m * k, x_bits);
    x.assign(static_cast<size_t>(m * stride()), 0);
    for (int64_t row = 0; row < m; ++row)
      std::copy_n(dense.begin() + row * k, k, x.begin() + row * stride());
    w = random.codes(n * k, bits);
    sx = random.floats(m);
    sw = random.floats(n * groups());
    bias = random.floats(n);
    pack();
  }

  void pack() {
    const int64_t blocks = padded_k(k) / kSumBlock;
    block_sums.assign(static_cast<size_t>(m * blocks), 0);
    for (int64_t row = 0; row < m; ++row) {
      for (int64_t i = 0; i < k; ++i)
        block_sums[static_cast<size_t>(row * blocks + i / kSumBlock)] +=
            x[static_cast<size_t>(row * stride() + i)];
    }
    tiles.resize(static_cast<size_t>(panels(n) * packed_s8_panel_bytes(k, bits)));
    for (int64_t p = 0; p < panels(n); ++p) {
      pack_s8_panel(w.data() + p * kPanel * k, k, std::min(kPanel, n - p * kPanel), k, bits,
                    tiles.data() + p * packed_s8_panel_bytes(k, bits));
    }
    packed_scales.resize(static_cast<size_t>(groups() * padded_n(n)));
    pack_scales(sw.data(), n, groups(), packed_scales.data());
  }

  GemmS8Args args(float* y, int64_t y_stride) const {
    GemmS8Args a;
    a.x = {x.data(), stride(), sx.data(), block_sums.data(), padded_k(k) / kSumBlock};
    a.w = {tiles.data(), packed_scales.data(), n, k, bits, group_size};
    a.x_bits = x_bits;
    a.y = y;
    a.y_stride = y_stride;
    a.row_end = m;
    a.panel_end = panels(n);
    return a;
  }

  int64_t sum(int64_t row, int64_t column, int64_t begin, int64_t end) const {
    int64_t total = 0;
    for (int64_t i = begin; i < end; ++i)
      total += int64_t{x[static_cast<size_t>(row * stride() + i)]} * w[static_cast<size_t>(column * k + i)];
    return total;
  }

  /// The contract's formula, in its order, in float32.
  float expected(int64_t row, int64_t column, bool with_bias) const {
    float value = 0;
    if (group_size == 0) {
      value = static_cast<float>(sum(row, column, 0, k)) * sx[static_cast<size_t>(row)];
      value = value * sw[static_cast<size_t>(column)];
    } else {
      for (int64_t g = 0; g < groups(); ++g) {
        value = std::fmaf(static_cast<float>(sum(row, column, g * group_size, (g + 1) * group_size)),
                          sw[static_cast<size_t>(column * groups() + g)], value);
      }
      value = value * sx[static_cast<size_t>(row)];
    }
    return with_bias ? value + bias[static_cast<size_t>(column)] : value;
  }

  std::string name() const {
    return "m=" + std::to_string(m) + " n=" + std::to_string(n) + " k=" + std::to_string(k) +
           " bits=" + std::to_string(bits) + " x_bits=" + std::to_string(x_bits) +
           " group=" + std::to_string(group_size);
  }
};

void expect_exact_sums(const Problem& p) {
  std::vector<int32_t> sums(static_cast<size_t>(p.m * p.n), 12345);
  gemm_s8_sums(p.args(nullptr, 0), sums.data(), p.n);
  for (int64_t row = 0; row < p.m; ++row) {
    for (int64_t column = 0; column < p.n; ++column)
      ASSERT_EQ(sums[static_cast<size_t>(row * p.n + column)], p.sum(row, column, 0, p.k))
          << p.name() << " row " << row << " column " << column;
  }
}

void expect_formula(const Problem& p) {
  const int64_t stride = p.n + 3;
  std::vector<float> y(static_cast<size_t>(p.m * stride), -7.0F);
  GemmS8Args args = p.args(y.data(), stride);
  args.bias = p.bias.data();
  gemm_s8(args);
  for (int64_t row = 0; row < p.m; ++row) {
    for (int64_t column = 0; column < stride; ++column) {
      const float expected = column < p.n ? p.expected(row, column, true) : -7.0F;
      ASSERT_EQ(y[static_cast<size_t>(row * stride + column)], expected)
          << p.name() << " row " << row << " column " << column;
    }
  }
}

struct Bits {
  int w, x;
};
constexpr Bits kBits[] = {{8, 8}, {4, 8}, {4, 4}};

TEST(GemmS8, EveryNumberOfRowsAndColumns) {
  Random random(1);
  for (const Bits bits : kBits) {
    for (int64_t m = 1; m <= 27; ++m) {
      for (const int64_t n : {1, 15, 16, 17, 33, 63, 64, 100}) {
        const Problem p(random, m, n, 1 + random.integer(0, 140), bits.w, bits.x);
        expect_exact_sums(p);
        expect_formula(p);
      }
    }
  }
}

TEST(GemmS8, EveryK) {
  Random random(2);
  for (const Bits bits : kBits) {
    for (int64_t k = 1; k <= 200; ++k) {
      const Problem p(random, 1 + k % 5, 18, k, bits.w, bits.x);
      expect_exact_sums(p);
      expect_formula(p);
    }
  }
}

TEST(GemmS8, Groups) {
  Random random(3);
  for (const Bits bits : kBits) {
    for (const int64_t group : {32, 64, 96, 128}) {
      for (const int64_t m : {1, 2, 3, 4, 6, 7, 13, 25}) {
        const Problem p(random, m, 50, group * (1 + m % 4), bits.w, bits.x, group);
        expect_exact_sums(p);
        expect_formula(p);
      }
    }
  }
}

TEST(GemmS8, MoreGroupsThanCorrectionsFitAtOnce) {
  Random random(4);
  const Problem p(random, 14, 17, 65536, 4, 8, 32);
  expect_formula(p);
}

TEST(GemmS8, MoreRowsThanOneChunk) {
  Random random(5);
  for (const int64_t m : {240, 241, 500})
    expect_formula(Problem(random, m, 33, 70, 8, 8));
}

TEST(GemmS8, ExtremeOperandsAreExact) {
  Random random(6);
  for (const Bits bits : kBits) {
    const int w_low = -(1 << (bits.w - 1)), w_high = -w_low - 1;
    const int x_low = -(1 << (bits.x - 1)), x_high = -x_low - 1;
    for (const int64_t k : {511, 512, 513, 65536}) {
      for (const int w : {w_low, w_high}) {
        for (const int x : {x_low, x_high}) {
          Problem p(random, 2, 17, k, bits.w, bits.x);
          std::fill(p.w.begin(), p.w.end(), static_cast<int8_t>(w));
          for (int64_t row = 0; row < p.m; ++row)
            std::fill_n(p.x.begin() + row * p.stride(), k, static_cast<int8_t>(x));
          p.pack();
          expect_exact_sums(p);
        }
      }
    }
  }
}

TEST(GemmS8, RangesAndAccumulation) {
  Random random(7);
  for (const int64_t group : {0, 32}) {
    const Problem p(random, 20, 70, 96, 4, 8, group);
    std::vector<float> whole(static_cast<size_t>(p.m * p.n), 1.5F);
    GemmS8Args args = p.args(whole.data(), p.n);
    args.accumulate = true;
    gemm_s8(args);
    std::vector<float> parts(static_cast<size_t>(p.m * p.n), 1.5F);
    for (const int64_t row : {0, 1, 8}) {
      for (int64_t panel = 0; panel < panels(p.n); ++panel) {
        GemmS8Args part = p.args(parts.data(), p.n);
        part.accumulate = true;
        part.row_begin = row;
        part.row_end = row == 0 ? 1 : row == 1 ? 8 : p.m;
        part.panel_begin = panel;
        part.panel_end = panel + 1;
        gemm_s8(part);
      }
    }
    EXPECT_TRUE(testing::same_bits(whole, parts)) << "group=" << group;
    EXPECT_EQ(whole[25], 1.5F + p.expected(0, 25, false));
  }
}

TEST(GemmS8, ANanScaleStaysInItsRow) {
  Random random(8);
  Problem p(random, 13, 20, 64, 8, 8);
  p.sx[4] = std::nanf("");
  std::vector<float> y(static_cast<size_t>(p.m * p.n));
  gemm_s8(p.args(y.data(), p.n));
  for (int64_t row = 0; row < p.m; ++row) {
    for (int64_t column = 0; column < p.n; ++column)
      EXPECT_EQ(std::isnan(y[static_cast<size_t>(row * p.n + column)]), row == 4) << row << ' ' << column;
  }
}

TEST(PackS8, CodesComeBackAndPaddingIsZero) {
  Random random(9);
  for (const int bits : {4, 8}) {
    const Problem p(random, 1, 21, 77, bits, 8);
    for (int64_t row = 0; row < padded_n(p.n); ++row) {
      for (int64_t column = 0; column < padded_k(p.k); ++column) {
        const bool exists = row < p.n && column < p.k;
        EXPECT_EQ(packed_s8_code(p.tiles.data(), p.k, bits, row, column),
                  exists ? p.w[static_cast<size_t>(row * p.k + column)] : 0);
      }
    }
  }
}

}  // namespace
}  // namespace tessera::kernels
