#include "formats/modelslim/writer.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

namespace tessera::formats::modelslim {
namespace {

TEST(ModelSlimWriter, RowsByTheLibrarysRule) {
  std::array<int8_t, 5> codes{};
  float scale = 0;
  // Halves go to even; the extremes are +-7.
  ASSERT_TRUE(encode_row(std::array{7.F, -7.F, .5F, 1.5F, -2.5F}, 4, scale, codes));
  EXPECT_EQ(scale, 1.F);
  EXPECT_EQ(codes, (std::array<int8_t, 5>{7, -7, 0, 2, -2}));
  ASSERT_TRUE(encode_row(std::array{0.F, -254.F, 3.F, 127.F, 1.F}, 8, scale, codes));
  EXPECT_EQ(scale, 2.F);
  EXPECT_EQ(codes, (std::array<int8_t, 5>{0, -127, 2, 64, 0}));
  ASSERT_TRUE(encode_row(std::array{0.F, 0.F, 0.F, 0.F, 0.F}, 8, scale, codes));
  EXPECT_EQ(scale, 0x1p-23F);
  EXPECT_EQ(codes, (std::array<int8_t, 5>{}));
  EXPECT_FALSE(encode_row(std::array{1.F, NAN, 0.F, 0.F, 0.F}, 8, scale, codes));
  EXPECT_FALSE(encode_row(std::array{1.F, 0.F, 0.F, 0.F, -INFINITY}, 8, scale, codes));
}

TEST(ModelSlimWriter, TypesOfSchemes) {
  quant::LinearScheme scheme{.weight = {.bits = 4}, .activation = {.bits = 4}};
  EXPECT_EQ(*type_for(scheme), "W4A4_DYNAMIC");
  scheme.weight.group_size = 32;
  EXPECT_EQ(type_for(scheme).error().message(),
            "scheme w4a4-g32: not written as ModelSlim, expected w8a8, w4a8 or w4a4 per channel");
  scheme = {.weight = {.bits = 4}, .activation = {.bits = 16}};
  EXPECT_FALSE(type_for(scheme).has_value());
  scheme = {.weight = {.bits = 4}, .activation = {.bits = 8}};
  EXPECT_EQ(*type_for(scheme), "W4A8_DYNAMIC");
  scheme = {.weight = {.bits = 8}, .activation = {.bits = 8}};
  EXPECT_EQ(*type_for(scheme), "W8A8_DYNAMIC");
}

TEST(ModelSlimWriter, PairsOfRowsAndTheirSums) {
  std::array<int8_t, 4> even = {-8, 7, -1, 0}, odd = {1, -2, 7, -8}, pairs{};
  pack_rows(even, odd, pairs);
  EXPECT_EQ(pairs, (std::array<int8_t, 4>{0x18, static_cast<int8_t>(0xE7), 0x7F, static_cast<int8_t>(0x80)}));
  std::array<float, 2> parts{};
  sum_parts(even, .5F, parts);
  EXPECT_EQ(parts, (std::array<float, 2>{-4.F, -4.F}));
}

TEST(ModelSlimWriter, PairedTensorsOfALinear) {
  const auto specs = linear_specs("a.down_proj", "W4A8_DYNAMIC", 6, 32);
  ASSERT_EQ(specs.size(), 4U);
  EXPECT_EQ(specs[0].shape, (Shape{3, 32}));
  EXPECT_EQ(specs[1].shape, (Shape{6, 1}));
  EXPECT_EQ(specs[3].name, "a.down_proj.scale_bias");
  EXPECT_EQ(specs[3].shape, (Shape{6, 16}));
  EXPECT_EQ(linear_specs("a.up_proj", "W4A8_DYNAMIC", 6, 32)[3].shape, (Shape{6, 1}));
  EXPECT_EQ(linear_specs("a.up_proj", "W4A4_DYNAMIC", 6, 32).size(), 3U);
  EXPECT_TRUE(check_linear("a.down_proj", "W4A8_DYNAMIC", 6, 32).has_value());
  EXPECT_TRUE(check_linear("a.down_proj", "W4A4_DYNAMIC", 5, 24).has_value());
  EXPECT_EQ(check_linear("a.down_proj", "W4A8_DYNAMIC", 6, 24).error().message(),
            "a.down_proj: [6, 24] as W4A8_DYNAMIC, expected an even number of outputs and inputs in 16 equal "
            "parts");
  EXPECT_FALSE(check_linear("a.up_proj", "W4A8_DYNAMIC", 5, 32).has_value());
  EXPECT_EQ(check_linear("lm_head", "W4A8_DYNAMIC", 6, 32).error().message(),
            "lm_head: the format has no W4A8_DYNAMIC of it, expected q/k/v/o_proj or gate/up/down_proj");
}

TEST(ModelSlimWriter, DescriptionsNameTheHighestType) {
  DescriptionWriter description;
  EXPECT_EQ(description.finish()["model_quant_type"], "FLOAT");
  description.add("m.weight", "W4A4_DYNAMIC");
  description.add("n.weight", "W8A8_DYNAMIC");
  const auto written = description.finish();
  EXPECT_EQ(written["model_quant_type"], "W4A4_DYNAMIC");
  EXPECT_EQ(written["n.weight"], "W8A8_DYNAMIC");
  EXPECT_EQ(written["version"], "1.0.0");
}

}  // namespace
}  // namespace tessera::formats::modelslim
