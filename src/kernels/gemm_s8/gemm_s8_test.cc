#include "kernels/gemm_s8/gemm_s8.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "kernels/test_data.h"

namespace tessera::kernels {
namespace {

using testing::Random;

struct Bits {
  int w, x;
};
constexpr Bits kBits[] = {{8, 8}, {4, 8}, {4, 4}};

struct Shape {
  int64_t m, n, k;
  int64_t group = 0;    // of the weights
  int64_t x_group = 0;  // of the rows
};
enum class Weights : bool { kSymmetric, kAsymmetric };

/// One problem: operands, their packed form, and the answers by the definition.
struct Problem {
  Shape shape;
  Bits bits;
  std::vector<int8_t> x, w, z;      // [m, padded k + odd gap], [n, k], [n, groups] or empty
  std::vector<int32_t> block_sums;  // [m, padded k / 32]
  std::vector<float> sx, sw, bias;  // [m, x groups], [n, groups], [n]
  std::vector<int32_t> offsets;     // [padded n] or empty
  S8Layout layout = S8Layout::kTiles;
  std::vector<uint8_t> tiles, packed_zeros;
  std::vector<float> packed_scales;

  int64_t groups() const { return shape.group == 0 ? 1 : shape.k / shape.group; }
  int64_t x_groups() const { return shape.x_group == 0 ? 1 : shape.k / shape.x_group; }
  int64_t stride() const { return padded_k(shape.k) + 1; }

  Problem(Random& random, const Shape& shape_in, Bits bits_in, Weights kind = Weights::kSymmetric)
      : shape(shape_in), bits(bits_in) {
    const std::vector<int8_t> dense = random.codes(shape.m * shape.k, bits.x);
    x.assign(static_cast<size_t>(shape.m * stride()), 0);
    for (int64_t row = 0; row < shape.m; ++row)
      std::copy_n(dense.begin() + row * shape.k, shape.k, x.begin() + row * stride());
    w = random.codes(shape.n * shape.k, bits.w);
    if (kind == Weights::kAsymmetric) z = random.codes(shape.n * groups(), bits.w);
    sx = random.floats(shape.m * x_groups());
    sw = random.floats(shape.n * groups());
    bias = random.floats(shape.n);
    pack();
  }

  void pack() {
    const int64_t blocks = padded_k(shape.k) / kSumBlock,
                  panel_bytes = packed_s8_panel_bytes(shape.k, bits.w);
    block_sums.assign(static_cast<size_t>(shape.m * blocks), 0);
    for (int64_t row = 0; row < shape.m; ++row) {
      for (int64_t i = 0; i < shape.k; ++i)
        block_sums[static_cast<size_t>(row * blocks + i / kSumBlock)] +=
            x[static_cast<size_t>(row * stride() + i)];
    }
    tiles.resize(static_cast<size_t>(panels(shape.n) * panel_bytes));
    for (int64_t p = 0; p < panels(shape.n); ++p) {
      pack_s8_panel(w.data() + p * kPanel * shape.k, shape.k, std::min(kPanel, shape.n - p * kPanel), shape.k,
                    bits.w, layout, tiles.data() + p * panel_bytes);
    }
    packed_scales.resize(static_cast<size_t>(groups() * padded_n(shape.n)));
    pack_scales(sw.data(), shape.n, groups(), packed_scales.data());
    if (z.empty()) return;
    packed_zeros.resize(packed_scales.size());
    pack_zeros(z.data(), shape.n, groups(), bits.w, packed_zeros.data());
  }

  GemmS8Args args(float* y, int64_t y_stride) const {
    GemmS8Args a;
    a.x = {.codes = x.data(),
           .codes_stride = stride(),
           .scales = sx.data(),
           .scales_stride = x_groups(),
           .group_size = shape.x_group,
           .block_sums = block_sums.data(),
           .sums_stride = padded_k(shape.k) / kSumBlock};
    a.w = {.tiles = tiles.data(),
           .scales = packed_scales.data(),
           .n = shape.n,
           .k = shape.k,
           .bits = bits.w,
           .group_size = shape.group,
           .zeros = z.empty() ? nullptr : packed_zeros.data(),
           .offsets = offsets.empty() ? nullptr : offsets.data(),
           .layout = layout};
    a.x_bits = bits.x;
    a.y = y;
    a.y_stride = y_stride;
    a.row_end = shape.m;
    a.panel_end = panels(shape.n);
    return a;
  }

  /// In 64 bits.
  int64_t sum(int64_t row, int64_t column, int64_t group) const {
    const int64_t step = shape.group == 0 ? shape.k : shape.group;
    const int64_t zero = z.empty() ? 0 : z[static_cast<size_t>(column * groups() + group)];
    int64_t total = offsets.empty() ? 0 : offsets[static_cast<size_t>(column)];
    for (int64_t i = group * step; i < (group + 1) * step; ++i) {
      total += int64_t{x[static_cast<size_t>(row * stride() + i)]} *
               (w[static_cast<size_t>(column * shape.k + i)] - zero);
    }
    return total;
  }

  /// The contract's formula, in its order, in float32.
  float expected(int64_t row, int64_t column, bool with_bias) const {
    float value = 0;
    if (shape.group == 0) {
      value = static_cast<float>(sum(row, column, 0)) * sx[static_cast<size_t>(row)];
      value = value * sw[static_cast<size_t>(column)];
    } else {
      for (int64_t g = 0; g < groups(); ++g) {
        auto part = static_cast<float>(sum(row, column, g));
        if (shape.x_group != 0)
          part = part * sx[static_cast<size_t>(row * x_groups() + g * shape.group / shape.x_group)];
        value = std::fmaf(part, sw[static_cast<size_t>(column * groups() + g)], value);
      }
      if (shape.x_group == 0) value = value * sx[static_cast<size_t>(row)];
    }
    return with_bias ? value + bias[static_cast<size_t>(column)] : value;
  }

  std::string name() const {
    return "m=" + std::to_string(shape.m) + " n=" + std::to_string(shape.n) +
           " k=" + std::to_string(shape.k) + " bits=" + std::to_string(bits.w) +
           " x_bits=" + std::to_string(bits.x) + " group=" + std::to_string(shape.group) +
           " x_group=" + std::to_string(shape.x_group) + (z.empty() ? "" : " asymmetric");
  }
};

void expect_exact_sums(const Problem& p) {
  const int64_t m = p.shape.m, n = p.shape.n;
  std::vector<int32_t> sums(static_cast<size_t>(p.groups() * m * n), 12345);
  gemm_s8_sums(p.args(nullptr, 0), {sums.data(), n, m * n});
  for (int64_t group = 0; group < p.groups(); ++group) {
    for (int64_t row = 0; row < m; ++row) {
      for (int64_t column = 0; column < n; ++column)
        ASSERT_EQ(sums[static_cast<size_t>((group * m + row) * n + column)], p.sum(row, column, group))
            << p.name() << " row " << row << " column " << column << " group " << group;
    }
  }
}

void expect_formula(const Problem& p) {
  const int64_t stride = p.shape.n + 3;
  std::vector<float> y(static_cast<size_t>(p.shape.m * stride), -7.0F);
  GemmS8Args args = p.args(y.data(), stride);
  args.bias = p.bias.data();
  gemm_s8(args);
  for (int64_t row = 0; row < p.shape.m; ++row) {
    for (int64_t column = 0; column < stride; ++column) {
      const float expected = column < p.shape.n ? p.expected(row, column, true) : -7.0F;
      ASSERT_EQ(y[static_cast<size_t>(row * stride + column)], expected)
          << p.name() << " row " << row << " column " << column;
    }
  }
}

/// In both layouts.
void expect_correct(Problem p) {
  for (const S8Layout layout : {S8Layout::kTiles, S8Layout::kRows}) {
    p.layout = layout;
    p.pack();
    expect_exact_sums(p);
    expect_formula(p);
  }
}

constexpr Weights kKinds[] = {Weights::kSymmetric, Weights::kAsymmetric};

TEST(GemmS8, EveryNumberOfRowsAndColumns) {
  Random random(1);
  for (const Bits bits : kBits) {
    for (int64_t m = 1; m <= 27; ++m) {
      for (const int64_t n : {1, 15, 16, 17, 33, 63, 64, 100})
        expect_correct(Problem(random, {m, n, 1 + random.integer(0, 140)}, bits, kKinds[m % 2]));
    }
  }
}

TEST(GemmS8, EveryK) {
  Random random(2);
  for (const Bits bits : kBits) {
    for (int64_t k = 1; k <= 200; ++k)
      expect_correct(Problem(random, {1 + k % 5, 18, k}, bits, kKinds[k / 5 % 2]));
  }
}

TEST(GemmS8, Groups) {
  Random random(3);
  for (const Bits bits : kBits) {
    for (const Weights kind : kKinds) {
      for (const int64_t group : {32, 64, 96, 128}) {
        for (const int64_t m : {1, 2, 3, 4, 6, 7, 13, 25})
          expect_correct(Problem(random, {m, 50, group * (1 + m % 4), group}, bits, kind));
      }
    }
  }
}

TEST(GemmS8, RowsInGroupsToo) {
  Random random(10);
  for (const Bits bits : kBits) {
    for (const int64_t group : {32, 64, 128}) {
      for (const int64_t times : {1, 2, 3}) {
        for (const int64_t m : {1, 3, 5, 7, 14})
          expect_correct(Problem(random, {m, 50, group * times * (1 + m % 3), group, group * times}, bits,
                                 kKinds[m / 2 % 2]));
      }
    }
  }
}

TEST(GemmS8, OffsetsOfColumns) {
  Random random(11);
  for (const Bits bits : kBits) {
    for (const int64_t m : {1, 2, 5, 13}) {
      Problem p(random, {m, 37, 100}, bits, kKinds[m % 2]);
      for (int64_t column = 0; column < padded_n(p.shape.n); ++column)
        p.offsets.push_back(static_cast<int32_t>(random.integer(-1000000, 1000000)));
      expect_correct(p);
    }
  }
}

TEST(GemmS8, MoreGroupsThanCorrectionsFitAtOnce) {
  Random random(4);
  expect_formula(Problem(random, {14, 17, 65536, 32}, {4, 8}));
}

TEST(GemmS8, MoreRowsThanOneChunk) {
  Random random(5);
  for (const int64_t m : {240, 241, 500})
    expect_correct(Problem(random, {m, 33, 70}, {8, 8}));
}

// The int16 sums of AVX2 are at their bound of additions here: all products of the largest magnitude, k far
// beyond what fits 16 bits.
TEST(GemmS8, ExtremeOperandsAreExact) {
  Random random(6);
  for (const Bits bits : kBits) {
    const int w_low = -(1 << (bits.w - 1)), w_high = -w_low - 1;
    const int x_low = -(1 << (bits.x - 1)), x_high = -x_low - 1;
    for (const int64_t k : {511, 512, 513, 65536}) {
      for (const int w : {w_low, w_high}) {
        for (const int x : {x_low, x_high}) {
          for (const Weights kind : kKinds) {
            Problem p(random, {2, 17, k}, bits, kind);
            std::fill(p.w.begin(), p.w.end(), static_cast<int8_t>(w));
            // The other end, so that w - z is as large as can be.
            std::fill(p.z.begin(), p.z.end(), static_cast<int8_t>(w == w_low ? w_high : w_low));
            for (int64_t row = 0; row < p.shape.m; ++row)
              std::fill_n(p.x.begin() + row * p.stride(), k, static_cast<int8_t>(x));
            for (const S8Layout layout : {S8Layout::kTiles, S8Layout::kRows}) {
              p.layout = layout;
              p.pack();
              expect_exact_sums(p);
            }
          }
        }
      }
    }
  }
}

TEST(GemmS8, RangesAndAccumulation) {
  Random random(7);
  for (const int64_t group : {0, 32}) {
    const Problem p(random, {20, 70, 96, group}, {4, 8});
    std::vector<float> whole(static_cast<size_t>(p.shape.m * p.shape.n), 1.5F);
    GemmS8Args args = p.args(whole.data(), p.shape.n);
    args.accumulate = true;
    gemm_s8(args);
    std::vector<float> parts(static_cast<size_t>(p.shape.m * p.shape.n), 1.5F);
    for (const int64_t row : {0, 1, 8}) {
      for (int64_t panel = 0; panel < panels(p.shape.n); ++panel) {
        GemmS8Args part = p.args(parts.data(), p.shape.n);
        part.accumulate = true;
        part.row_begin = row;
        part.row_end = row == 0 ? 1 : row == 1 ? 8 : p.shape.m;
        part.panel_begin = panel;
        part.panel_end = panel + 1;
        gemm_s8(part);
      }
    }
    EXPECT_TRUE(testing::same_bits(whole, parts)) << "group=" << group;
    EXPECT_EQ(whole[25], 1.5F + p.expected(0, 25, false));
  }
}

TEST(GemmS8, NothingNeedsAlignment) {
  Random random(12);
  for (const Bits bits : kBits) {
    for (const int64_t group : {0, 64}) {
      Problem p(random, {7, 40, 192, group}, bits, Weights::kAsymmetric);
      for (const S8Layout layout : {S8Layout::kTiles, S8Layout::kRows}) {
        p.layout = layout;
        p.pack();
        std::vector<uint8_t> tiles(1, 0), zeros(1, 0);
        tiles.insert(tiles.end(), p.tiles.begin(), p.tiles.end());
        zeros.insert(zeros.end(), p.packed_zeros.begin(), p.packed_zeros.end());
        std::vector<float> scales(1, 0), y(static_cast<size_t>(p.shape.m * p.shape.n + 1));
        scales.insert(scales.end(), p.packed_scales.begin(), p.packed_scales.end());
        GemmS8Args args = p.args(y.data() + 1, p.shape.n);
        args.w.tiles = tiles.data() + 1;
        args.w.zeros = zeros.data() + 1;
        args.w.scales = scales.data() + 1;
        gemm_s8(args);
        for (int64_t row = 0; row < p.shape.m; ++row) {
          for (int64_t column = 0; column < p.shape.n; ++column)
            ASSERT_EQ(y[static_cast<size_t>(1 + row * p.shape.n + column)], p.expected(row, column, false))
                << p.name();
        }
      }
    }
  }
}

TEST(GemmS8, ANanScaleStaysInItsRow) {
  Random random(8);
  Problem p(random, {13, 20, 64}, {8, 8});
  p.sx[4] = std::nanf("");
  std::vector<float> y(static_cast<size_t>(p.shape.m * p.shape.n));
  gemm_s8(p.args(y.data(), p.shape.n));
  for (int64_t row = 0; row < p.shape.m; ++row) {
    for (int64_t column = 0; column < p.shape.n; ++column)
      EXPECT_EQ(std::isnan(y[static_cast<size_t>(row * p.shape.n + column)]), row == 4)
          << row << ' ' << column;
  }
}

TEST(PackS8, CodesComeBackAndPaddingIsZero) {
  Random random(9);
  for (const int bits : {4, 8}) {
    Problem p(random, {1, 21, 77}, {bits, 8});
    for (const S8Layout layout : {S8Layout::kTiles, S8Layout::kRows}) {
      p.layout = layout;
      p.pack();
      for (int64_t row = 0; row < padded_n(p.shape.n); ++row) {
        for (int64_t column = 0; column < padded_k(p.shape.k); ++column) {
          const bool exists = row < p.shape.n && column < p.shape.k;
          EXPECT_EQ(packed_s8_code(p.tiles.data(), p.shape.k, bits, layout, row, column),
                    exists ? p.w[static_cast<size_t>(row * p.shape.k + column)] : 0);
        }
      }
    }
  }
}

/// docs/decisions/0006: tdpbsud by its definition, over a panel as it lies in memory.
TEST(PackS8, SixteenTilesAreOneTileOfAmx) {
  Random random(13);
  const Problem p(random, {16, 16, 192}, {8, 8});
  int32_t c[16][16] = {};
  for (int64_t k = 0; k < p.shape.k; k += 64) {
    const uint8_t* b = p.tiles.data() + k / 64 * 1024;
    for (int64_t m = 0; m < 16; ++m) {
      const int8_t* a = p.x.data() + m * p.stride() + k;
      for (int64_t i = 0; i < 16; ++i) {
        for (int64_t n = 0; n < 16; ++n) {
          for (int64_t j = 0; j < 4; ++j)
            c[m][n] += a[4 * i + j] * b[i * 64 + 4 * n + j];
        }
      }
    }
  }
  for (int64_t m = 0; m < 16; ++m) {
    int32_t codes = 0;
    for (int64_t k = 0; k < p.shape.k; ++k)
      codes += p.x[static_cast<size_t>(m * p.stride() + k)];
    for (int64_t n = 0; n < 16; ++n)
      EXPECT_EQ(c[m][n] - code_bias(8) * codes, p.sum(m, n, 0)) << m << ' ' << n;
  }
}

}  // namespace
}  // namespace tessera::kernels
