#include <gtest/gtest.h>

#include <cmath>

#include "kernels/gemm_f/gemm_bf16.h"
#include "kernels/gemm_f/gemm_bf16_rows.h"
#include "kernels/gemm_f/gemm_f32.h"
#include "kernels/test_data.h"
#include "tensor/float_convert.h"

namespace tessera::kernels {
namespace {

using testing::Random;

struct Shape {
  int64_t m, n, k;
};

/// Every number of rows and columns around the tiles, k odd and even.
std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (int64_t m = 1; m <= 26; ++m) {
    for (const int64_t n : {1, 16, 17, 47, 64, 81})
      all.push_back({m, n, 1 + (m * 31 + n) % 67});
  }
  all.push_back({241, 18, 20});
  for (const int64_t m : {1, 14})
    all.push_back({m, 17, 1});
  // Rows in two chunks; sums that wait between stretches of k.
  all.push_back({400, 18, 20});
  for (const int64_t k : {2049, 3071, 3072, 4100, 5121})
    all.push_back({13, 33, k});
  return all;
}

struct Problem {
  Shape s;
  std::vector<float> x, w, bias, packed_f32;
  std::vector<uint16_t> x_bf16, packed_bf16, w_bf16;  // w_bf16: rows

  Problem(Random& random, const Shape& shape) : s(shape) {
    x = random.floats(s.m * s.k);
    w = random.floats(s.n * s.k);
    bias = random.floats(s.n);
    packed_f32.resize(static_cast<size_t>(panels(s.n) * packed_f32_panel_floats(s.k)));
    packed_bf16.resize(static_cast<size_t>(panels(s.n) * packed_bf16_panel_elements(s.k)));
    for (int64_t p = 0; p < panels(s.n); ++p) {
      const int64_t rows = std::min(kPanel, s.n - p * kPanel);
      const float* from = w.data() + p * kPanel * s.k;
      pack_f32_panel(from, s.k, rows, s.k, packed_f32.data() + p * packed_f32_panel_floats(s.k));
      pack_bf16_panel_from_f32(from, s.k, rows, s.k,
                               packed_bf16.data() + p * packed_bf16_panel_elements(s.k));
    }
    w_bf16.resize(static_cast<size_t>(s.n * padded_k_bf16(s.k)));
    round_rows_bf16(w.data(), s.k, s.n, s.k, w_bf16.data(), padded_k_bf16(s.k));
    x_bf16.resize(static_cast<size_t>(s.m * padded_k_bf16(s.k)));
    round_rows_bf16(x.data(), s.k, s.m, s.k, x_bf16.data(), padded_k_bf16(s.k));
  }

  GemmF32Args f32(float* y, int64_t y_stride) const {
    return {x.data(), s.k, packed_f32.data(), s.n, s.k, bias.data(), y, y_stride, false, 0,
            s.m,      0,   panels(s.n)};
  }
  GemmBf16Args bf16(float* y, int64_t y_stride) const {
    return {x_bf16.data(),
            padded_k_bf16(s.k),
            packed_bf16.data(),
            s.n,
            s.k,
            bias.data(),
            y,
            y_stride,
            false,
            0,
            s.m,
            0,
            panels(s.n)};
  }
};

/// gemm_bf16 over tiles and over rows.
struct Bf16Layout {
  const char* name;
  void (*gemm)(const GemmBf16Args&);
  bool rows;

  void run(const Problem& p, GemmBf16Args args) const {
    if (rows) args.w = p.w_bf16.data();
    gemm(args);
  }
};
constexpr Bf16Layout kLayouts[] = {{"nz", gemm_bf16, false}, {"nd", gemm_bf16_rows, true}};

TEST(GemmF32, IsTheDefinedSumBitForBit) {
  Random random(1);
  for (const Shape& shape : shapes()) {
    const Problem p(random, shape);
    const int64_t stride = shape.n + 2;
    std::vector<float> y(static_cast<size_t>(shape.m * stride), 5.0F);
    gemm_f32(p.f32(y.data(), stride));
    for (int64_t row = 0; row < shape.m; ++row) {
      for (int64_t column = 0; column < stride; ++column) {
        float expected = 0;
        for (int64_t i = 0; i < shape.k && column < shape.n; ++i) {
          expected = std::fmaf(p.x[static_cast<size_t>(row * shape.k + i)],
                               p.w[static_cast<size_t>(column * shape.k + i)], expected);
        }
        expected = column < shape.n ? expected + p.bias[static_cast<size_t>(column)] : 5.0F;
        ASSERT_EQ(y[static_cast<size_t>(row * stride + column)], expected)
            << "m=" << shape.m << " n=" << shape.n << " k=" << shape.k << " row " << row << " column "
            << column;
      }
    }
  }
}

void expect_bf16_product(const Problem& p, const std::vector<float>& y, const char* layout) {
  const Shape& shape = p.s;
  for (int64_t row = 0; row < shape.m; ++row) {
    for (int64_t column = 0; column < shape.n; ++column) {
      // Products of bf16 are exact in float32; each of the k additions and the bias rounds by 2^-24 of what
      // has been summed; flushed denormals add at most 2^-126 each.
      double sum = 0, magnitude = 0;
      for (int64_t i = 0; i < shape.k; ++i) {
        const double product = double{bf16_to_f32(f32_to_bf16(p.x[static_cast<size_t>(row * shape.k + i)]))} *
                               bf16_to_f32(f32_to_bf16(p.w[static_cast<size_t>(column * shape.k + i)]));
        sum += product;
        magnitude += std::abs(product);
      }
      const double bias = p.bias[static_cast<size_t>(column)];
      const auto steps = static_cast<double>(shape.k + 6);
      const double bound = steps * 0x1p-24 * (magnitude + std::abs(bias)) + steps * 0x1p-126;
      ASSERT_NEAR(y[static_cast<size_t>(row * shape.n + column)], sum + bias, bound)
          << layout << " m=" << shape.m << " n=" << shape.n << " k=" << shape.k << " row " << row
          << " column " << column;
    }
  }
}

TEST(GemmBf16, WithinTheBoundOfItsRoundings) {
  Random random(2);
  for (const Shape& shape : shapes()) {
    const Problem p(random, shape);
    for (const Bf16Layout& layout : kLayouts) {
      std::vector<float> y(static_cast<size_t>(shape.m * shape.n));
      layout.run(p, p.bf16(y.data(), shape.n));
      ASSERT_NO_FATAL_FAILURE(expect_bf16_product(p, y, layout.name));
    }
  }
}

TEST(GemmBf16, NanStaysInItsRow) {
  Random random(7);
  Problem p(random, {9, 20, 45});
  p.x_bf16[static_cast<size_t>(4 * padded_k_bf16(45) + 44)] = f32_to_bf16(NAN);
  for (const Bf16Layout& layout : kLayouts) {
    std::vector<float> y(9 * 20);
    layout.run(p, p.bf16(y.data(), 20));
    for (size_t i = 0; i < y.size(); ++i)
      EXPECT_EQ(std::isnan(y[i]), i / 20 == 4) << layout.name << " " << i;
  }
}

/// Calls gemm in pieces: rows 0, 1..9, 9..m; panels one by one.
template <class Args, class Gemm>
void run_in_pieces(Args args, const Gemm& gemm) {
  const int64_t rows = args.row_end, width = args.panel_end;
  const int64_t cuts[] = {0, 1, 9, rows};
  for (int i = 0; i < 3; ++i) {
    for (int64_t panel = 0; panel < width; ++panel) {
      args.row_begin = cuts[i];
      args.row_end = cuts[i + 1];
      args.panel_begin = panel;
      args.panel_end = panel + 1;
      gemm(args);
    }
  }
}

TEST(GemmF, RangesDoNotChangeBits) {
  Random random(3);
  const Problem p(random, {23, 77, 3131});
  std::vector<float> whole(23 * 77, 0.25F), pieces(23 * 77, 0.25F);
  GemmF32Args a = p.f32(whole.data(), 77), b = p.f32(pieces.data(), 77);
  a.accumulate = b.accumulate = true;
  gemm_f32(a);
  run_in_pieces(b, gemm_f32);
  EXPECT_TRUE(testing::same_bits(whole, pieces));
  for (const Bf16Layout& layout : kLayouts) {
    // Without accumulation a long k is walked otherwise.
    for (const bool accumulate : {false, true}) {
      GemmBf16Args c = p.bf16(whole.data(), 77), d = p.bf16(pieces.data(), 77);
      c.accumulate = d.accumulate = accumulate;
      layout.run(p, c);
      run_in_pieces(d, [&](const GemmBf16Args& args) { layout.run(p, args); });
      EXPECT_TRUE(testing::same_bits(whole, pieces)) << layout.name << accumulate;
    }
  }
}

TEST(GemmF, AccumulatesAfterTheBias) {
  Random random(4);
  const Problem p(random, {2, 20, 8});
  std::vector<float> plain(40), sum(40, 3.0F);
  gemm_f32(p.f32(plain.data(), 20));
  GemmF32Args args = p.f32(sum.data(), 20);
  args.accumulate = true;
  gemm_f32(args);
  for (size_t i = 0; i < 40; ++i)
    EXPECT_EQ(sum[i], 3.0F + plain[i]);
}

TEST(GemmF, PacksEverySourceType) {
  Random random(5);
  const int64_t rows = 5, k = 7;
  const std::vector<float> w = random.floats(rows * k);
  std::vector<uint16_t> bf16, f16;
  for (const float x : w) {
    bf16.push_back(f32_to_bf16(x));
    f16.push_back(f32_to_f16(x));
  }
  std::vector<float> from_bf16(static_cast<size_t>(kPanel * k)), from_f16 = from_bf16;
  pack_f32_panel_from_bf16(bf16.data(), k, rows, k, from_bf16.data());
  pack_f32_panel_from_f16(f16.data(), k, rows, k, from_f16.data());
  std::vector<uint16_t> narrow(static_cast<size_t>(packed_bf16_panel_elements(k))), narrow_f16 = narrow;
  pack_bf16_panel(bf16.data(), k, rows, k, narrow.data());
  pack_bf16_panel_from_f16(f16.data(), k, rows, k, narrow_f16.data());
  for (int64_t row = 0; row < kPanel; ++row) {
    for (int64_t i = 0; i < padded_k_bf16(k); ++i) {
      const bool exists = row < rows && i < k;
      const auto at = static_cast<size_t>(exists ? row * k + i : 0);
      const uint16_t b = exists ? bf16[at] : 0, h = exists ? f16[at] : 0;
      const auto pair = static_cast<size_t>((i / 2 * kPanel + row) * 2 + i % 2);
      EXPECT_EQ(narrow[pair], b);
      EXPECT_EQ(narrow_f16[pair], f32_to_bf16(f16_to_f32(h)));
      if (i == k) continue;
      EXPECT_EQ(from_bf16[static_cast<size_t>(i * kPanel + row)], bf16_to_f32(b));
      EXPECT_EQ(from_f16[static_cast<size_t>(i * kPanel + row)], f16_to_f32(h));
    }
  }
}

TEST(RoundRowsBf16, HalfToEvenNanDenormalsAndPadding) {
  std::vector<float> x = {1.0F, 1.00390625F, 1.01171875F, -0.0F, 1e-40F, std::nanf(""), INFINITY, 3.4e38F};
  Random random(6);
  const std::vector<float> more = random.floats(33);
  x.insert(x.end(), more.begin(), more.end());
  const auto k = static_cast<int64_t>(x.size());
  std::vector<uint16_t> out(static_cast<size_t>(padded_k_bf16(k)), 77);
  round_rows_bf16(x.data(), k, 1, k, out.data(), padded_k_bf16(k));
  for (size_t i = 0; i < x.size(); ++i)
    EXPECT_EQ(out[i], f32_to_bf16(x[i])) << i;
  EXPECT_EQ(out.back(), 0);
}

}  // namespace
}  // namespace tessera::kernels
