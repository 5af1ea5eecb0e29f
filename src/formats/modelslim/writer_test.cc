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
            "scheme w4a4-g32: not written as ModelSlim, expected w8a8 or w4a4 per channel");
  scheme = {.weight = {.bits = 4}, .activation = {.bits = 8}};
  EXPECT_FALSE(type_for(scheme).has_value());
  scheme = {.weight = {.bits = 8}, .activation = {.bits = 8}};
  EXPECT_EQ(*type_for(scheme), "W8A8_DYNAMIC");
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
