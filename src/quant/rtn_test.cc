#include "quant/rtn.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "quant/integer_codes.h"

namespace tessera::quant {
namespace {

LinearData random_linear(int64_t out, int64_t in) {
  LinearData data;
  data.out = out;
  data.in = in;
  data.scheme.weight.bits = 32;
  data.values = *Tensor::allocate(DType::kF32, Shape{out, in});
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  for (float& value : data.values.as<float>())
    value = normal(random);
  data.bias.assign(static_cast<size_t>(out), 1.5F);
  return data;
}

// 50 rows are four tasks, the last one short.
TEST(Rtn, EveryRowIsEncodeRowWithAnyNumberOfThreads) {
  for (const int group_size : {0, 32}) {
    for (const int bits : {4, 8}) {
      const LinearData source = random_linear(50, 96);
      const LinearScheme scheme{.weight = {.bits = bits, .group_size = group_size},
                                .activation = {.bits = 8}};
      for (const int threads : {1, 3}) {
        ThreadPool pool(threads);
        const auto result = quantize_rtn(random_linear(50, 96), "w", scheme, {}, pool);
        ASSERT_TRUE(result.has_value());
        EXPECT_EQ(result->scheme, scheme);
        EXPECT_EQ(result->bias, source.bias);
        const auto groups = static_cast<size_t>(result->groups());
        ASSERT_EQ(result->scales.size(), 50 * groups);
        std::vector<float> scales(groups);
        std::vector<int8_t> codes(96);
        for (size_t row = 0; row < 50; ++row) {
          ASSERT_TRUE(encode_row(source.values.as<float>().subspan(row * 96, 96), bits, group_size,
                                 DType::kF32, scales, codes));
          EXPECT_TRUE(std::ranges::equal(codes, result->values.as<int8_t>().subspan(row * 96, 96)));
          EXPECT_TRUE(std::ranges::equal(scales, std::span(result->scales).subspan(row * groups, groups)));
        }
      }
    }
  }
}

TEST(Rtn, TheFirstBadRowIsNamed) {
  LinearData data = random_linear(50, 8);
  data.values.as<float>()[static_cast<size_t>(45 * 8)] = INFINITY;
  data.values.as<float>()[static_cast<size_t>(17 * 8 + 3)] = NAN;
  ThreadPool pool(3);
  const auto result =
      quantize_rtn(std::move(data), "a.b", {.weight = {.bits = 8}, .activation = {}}, {}, pool);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().message(), "a.b: row 17 has a NaN or an infinity, expected finite weights");
}

}  // namespace
}  // namespace tessera::quant
