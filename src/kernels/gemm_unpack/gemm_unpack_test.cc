#include "kernels/gemm_unpack/gemm_unpack.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "kernels/gemm_f/gemm_bf16.h"
#include "kernels/test_data.h"
#include "tensor/float_convert.h"

namespace tessera::kernels {
namespace {

using testing::Random;

struct Shape {
  int64_t m, n, k;
  int bits;
  int64_t group;  // 0: per channel
  bool zeros;

  std::string name() const {
    return "m=" + std::to_string(m) + " n=" + std::to_string(n) + " k=" + std::to_string(k) +
           " bits=" + std::to_string(bits) + " group=" + std::to_string(group) + (zeros ? " zeros" : "");
  }
};

/// Every number of rows and columns around the tiles; k around tiles, blocks and stretches.
std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (int64_t m = 1; m <= 26; ++m) {
    for (const int64_t n : {1, 16, 33, 64}) {
      const int64_t i = m * 7 + n;
      all.push_back({m, n, 1 + i * 31 % 300, i % 2 == 0 ? 4 : 8, 0, i % 3 == 0});
      const int64_t group = int64_t{32} << i % 3;
      all.push_back({m, n, group * (1 + i % 7), m % 2 == 0 ? 4 : 8, group, i % 5 < 2});
    }
  }
  for (const int64_t k : {1, 2, 7, 8, 9, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1025}) {
    for (const int bits : {4, 8}) {
      all.push_back({3, 17, k, bits, 0, false});
      all.push_back({14, 17, k, bits, 0, true});
    }
  }
  all.push_back({251, 18, 70, 4, 0, false});
  all.push_back({5, 20, 768, 4, 256, true});
  all.push_back({13, 20, 576, 8, 192, false});
  return all;
}

template <class T>
size_t index(T i) {
  return static_cast<size_t>(i);
}

struct Problem {
  Shape s;
  int64_t groups;
  std::vector<float> x, bias, scales, packed_scales;
  std::vector<uint16_t> x_bf16;
  std::vector<int8_t> codes, zeros, packed_zeros;
  std::vector<uint8_t> tiles;

  Problem(Random& random, const Shape& shape) : s(shape), groups(s.group == 0 ? 1 : s.k / s.group) {
    x = random.floats(s.m * s.k);
    bias = random.floats(s.n);
    codes = random.codes(s.n * s.k, s.bits);
    zeros = random.codes(s.n * groups, s.bits);
    for (int64_t i = 0; i < s.n * groups; ++i)
      scales.push_back(random.uniform(0.001F, 0.1F));
    pack();
  }

  void pack() {
    const int64_t bytes = packed_codes_panel_bytes(s.k, s.bits);
    tiles.resize(index(panels(s.n) * bytes));
    packed_scales.resize(index(panels(s.n) * groups * kPanel));
    packed_zeros.resize(packed_scales.size());
    for (int64_t p = 0; p < panels(s.n); ++p) {
      const int64_t rows = std::min(kPanel, s.n - p * kPanel), at = p * groups * kPanel;
      pack_codes_panel(codes.data() + p * kPanel * s.k, s.k, rows, s.k, s.bits, s.group,
                       tiles.data() + p * bytes);
      pack_group_panel(scales.data() + at, rows, groups, packed_scales.data() + at);
      pack_group_panel(zeros.data() + at, rows, groups, packed_zeros.data() + at);
    }
    x_bf16.resize(index(s.m * padded_k_bf16(s.k)));
    round_rows_bf16(x.data(), s.k, s.m, s.k, x_bf16.data(), padded_k_bf16(s.k));
  }

  template <class X>
  GemmUnpackArgs<X> args(const X* rows, int64_t x_stride, float* y, int64_t y_stride) const {
    return {.x = rows,
            .x_stride = x_stride,
            .w = {tiles.data(), packed_scales.data(), s.zeros ? packed_zeros.data() : nullptr, s.n, s.k,
                  s.bits, s.group},
            .bias = bias.data(),
            .y = y,
            .y_stride = y_stride,
            .row_end = s.m,
            .panel_end = panels(s.n)};
  }
  GemmUnpackArgs<uint16_t> bf16(float* y, int64_t y_stride) const {
    return args(x_bf16.data(), padded_k_bf16(s.k), y, y_stride);
  }
  GemmUnpackArgs<float> f32(float* y, int64_t y_stride) const { return args(x.data(), s.k, y, y_stride); }

  float weight(int64_t n, int64_t k) const {
    const int zero = s.zeros ? zeros[index(n * groups + (s.group == 0 ? 0 : k / s.group))] : 0;
    return static_cast<float>(codes[index(n * s.k + k)] - zero);
  }
  float scale(int64_t n, int64_t k) const {
    return scales[index(n * groups + (s.group == 0 ? 0 : k / s.group))];
  }
  float input(int64_t m, int64_t k, bool bf16) const {
    const float value = x[index(m * s.k + k)];
    return bf16 ? bf16_to_f32(f32_to_bf16(value)) : value;
  }

  /// The contract's operations in the contract's order.
  float defined(int64_t m, int64_t n, bool bf16) const {
    float sum = 0;
    for (int64_t b = 0; b < s.k; b += sum_block(s.group)) {
      float dot = 0;
      const int64_t end = std::min(s.k, b + sum_block(s.group));
      for (int64_t k = b; k < end; k += 2) {
        if (k + 1 < end) dot = std::fmaf(input(m, k + 1, bf16), weight(n, k + 1), dot);
        dot = std::fmaf(input(m, k, bf16), weight(n, k), dot);
      }
      sum = std::fmaf(dot, scale(n, b), sum);
    }
    return sum + bias[index(n)];
  }

  /// What dequantized weights give in double precision, and how far rounding may lead from it: 2^-24 of all
  /// that was summed per step, plus what flushed denormals lose.
  double exact(int64_t m, int64_t n, bool bf16, double* bound) const {
    double sum = 0, magnitude = std::abs(bias[index(n)]);
    for (int64_t k = 0; k < s.k; ++k) {
      const double product = double{input(m, k, bf16)} * weight(n, k) * scale(n, k);
      sum += product;
      magnitude += std::abs(product);
    }
    const int64_t block = sum_block(s.group);
    const auto steps = static_cast<double>(std::min(block, s.k) + (s.k + block - 1) / block + 2);
    *bound = steps * 0x1p-24 * magnitude + static_cast<double>(s.k) * 0x1p-118;
    return sum + bias[index(n)];
  }
};

void expect_product(const Problem& p, const std::vector<float>& y, int64_t stride, bool bf16) {
  // vdpbf16ps differs from the definition by flushed denormals only, of which there are none here.
  for (int64_t m = 0; m < p.s.m; ++m) {
    for (int64_t n = 0; n < stride; ++n) {
      const float got = y[index(m * stride + n)];
      if (n >= p.s.n) {
        ASSERT_EQ(got, 5.0F) << p.s.name();
        continue;
      }
      double bound = 0;
      const double exact = p.exact(m, n, bf16, &bound);
      ASSERT_NEAR(got, exact, bound) << p.s.name() << " row " << m << " column " << n;
      ASSERT_EQ(got, p.defined(m, n, bf16)) << p.s.name() << " row " << m << " column " << n;
    }
  }
}

TEST(GemmUnpack, IsTheDefinedSumAndNearTheDequantizedProduct) {
  Random random(1);
  for (const Shape& shape : shapes()) {
    const Problem p(random, shape);
    const int64_t stride = shape.n + 2;
    std::vector<float> y(index(shape.m * stride), 5.0F);
    gemm_unpack(p.bf16(y.data(), stride));
    ASSERT_NO_FATAL_FAILURE(expect_product(p, y, stride, true));
    std::ranges::fill(y, 5.0F);
    gemm_unpack(p.f32(y.data(), stride));
    ASSERT_NO_FATAL_FAILURE(expect_product(p, y, stride, false));
  }
}

/// Calls in pieces: rows 0, 1..9, 9..m; panels one by one.
template <class X>
void run_in_pieces(GemmUnpackArgs<X> args) {
  const int64_t rows = args.row_end, width = args.panel_end;
  const int64_t cuts[] = {0, 1, 9, rows};
  for (int i = 0; i < 3; ++i) {
    for (int64_t panel = 0; panel < width; ++panel) {
      args.row_begin = cuts[i];
      args.row_end = cuts[i + 1];
      args.panel_begin = panel;
      args.panel_end = panel + 1;
      gemm_unpack(args);
    }
  }
}

TEST(GemmUnpack, RangesDoNotChangeBits) {
  Random random(2);
  for (const Shape& shape : {Shape{23, 77, 777, 4, 0, false}, Shape{23, 77, 640, 4, 64, true},
                             Shape{300, 40, 129, 8, 0, true}, Shape{23, 77, 640, 8, 32, false}}) {
    const Problem p(random, shape);
    std::vector<float> whole(index(shape.m * shape.n), 0.25F), pieces = whole;
    auto a = p.bf16(whole.data(), shape.n), b = p.bf16(pieces.data(), shape.n);
    a.accumulate = b.accumulate = true;
    gemm_unpack(a);
    run_in_pieces(b);
    EXPECT_TRUE(testing::same_bits(whole, pieces)) << shape.name();
    gemm_unpack(p.f32(whole.data(), shape.n));
    run_in_pieces(p.f32(pieces.data(), shape.n));
    EXPECT_TRUE(testing::same_bits(whole, pieces)) << shape.name();
  }
}

TEST(GemmUnpack, ExtremeCodesAndZeroPointsAreExact) {
  Random random(3);
  for (const int bits : {4, 8}) {
    for (const int sign : {-1, 1}) {
      for (const int64_t m : {2, 20}) {
        Problem p(random, {m, 18, 96, bits, 0, true});
        const int low = -(1 << (bits - 1)), high = -low - 1;
        std::ranges::fill(p.codes, static_cast<int8_t>(sign < 0 ? low : high));
        std::ranges::fill(p.zeros, static_cast<int8_t>(sign < 0 ? high : low));
        std::ranges::fill(p.scales, 1.0F);
        std::ranges::fill(p.x, 1.0F);
        std::ranges::fill(p.bias, 0.0F);
        p.pack();
        std::vector<float> y(index(m * 18));
        gemm_unpack(p.bf16(y.data(), 18));
        const auto expected = static_cast<float>(96 * sign * ((1 << bits) - 1));
        for (const float value : y)
          ASSERT_EQ(value, expected) << bits << " bits";
        gemm_unpack(p.f32(y.data(), 18));
        for (const float value : y)
          ASSERT_EQ(value, expected) << bits << " bits";
      }
    }
  }
}

TEST(GemmUnpack, NanAndInfinityStayInTheirRow) {
  Random random(4);
  for (const int64_t m : {4, 15}) {
    Problem p(random, {m, 16, 70, 4, 0, false});
    std::ranges::fill(p.codes, int8_t{3});
    p.x[70 + 69] = NAN;
    p.x[140 + 5] = std::numeric_limits<float>::infinity();
    p.pack();
    std::vector<float> y(index(m * 16));
    gemm_unpack(p.bf16(y.data(), 16));
    for (int64_t n = 0; n < 16; ++n) {
      for (int64_t row = 0; row < m; ++row) {
        const float value = y[index(row * 16 + n)];
        EXPECT_EQ(std::isnan(value), row == 1) << row;
        EXPECT_EQ(std::isinf(value), row == 2) << row;
      }
    }
  }
}

TEST(GemmUnpack, DenormalsAreKeptOrFlushedNeverWorse) {
  Random random(5);
  for (const int64_t m : {1, 20}) {
    Problem p(random, {m, 16, 64, 8, 0, false});
    for (float& value : p.x)
      value *= 1e-39F;
    p.pack();
    std::vector<float> y(index(m * 16));
    gemm_unpack(p.bf16(y.data(), 16));
    for (int64_t row = 0; row < m; ++row) {
      for (int64_t n = 0; n < 16; ++n) {
        double bound = 0;
        const double exact = p.exact(row, n, true, &bound);
        EXPECT_NEAR(y[index(row * 16 + n)], exact, bound);
      }
    }
  }
}

TEST(PackCodes, EveryCodeComesBack) {
  Random random(6);
  for (const int bits : {4, 8}) {
    for (const int64_t k : {1, 4, 7, 8, 9, 21, 128, 300, 512, 1000}) {
      const Problem p(random, {1, 19, k, bits, 0, false});
      for (int64_t n = 0; n < 19; ++n) {
        for (int64_t i = 0; i < k; ++i)
          ASSERT_EQ(packed_code(p.tiles.data(), k, bits, 0, n, i), p.codes[index(n * k + i)]);
      }
    }
  }
}

}  // namespace
}  // namespace tessera::kernels
