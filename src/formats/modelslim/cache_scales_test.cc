#include <gmock/gmock.h>

#include <cmath>

#include "formats/modelslim/test_checkpoint.h"

namespace tessera::formats::modelslim {
namespace {

using testing::HasSubstr;

constexpr AttentionHeads kHeads{.query = 4, .key = 2, .dim = 2};
const std::vector<float> kScales{.5F, .25F, 1, 2}, kOffsets{0, 1, -128, 127}, kZeros{0, 0, 0, 0};

StoredTensor tensor(const std::string& name, const std::vector<float>& values,
                    const std::string& type = "C8") {
  return stored<float>("a." + name, DType::kF32, {static_cast<int64_t>(values.size())}, values, type);
}

/// A side of the cache ("k" or "v").
std::vector<StoredTensor> sides(const std::vector<float>& k_scales, const std::vector<float>& k_offsets,
                                const std::vector<float>& v_scales, const std::vector<float>& v_offsets) {
  return {tensor("k_proj.kv_cache_scale", k_scales), tensor("k_proj.kv_cache_offset", k_offsets),
          tensor("v_proj.kv_cache_scale", v_scales), tensor("v_proj.kv_cache_offset", v_offsets)};
}

std::string error_of(const std::vector<StoredTensor>& tensors) {
  const Checkpoint checkpoint(tensors, {{"kv_cache_type", "C8"}});
  EXPECT_EQ(checkpoint.error, "");
  const auto data = checkpoint.reader->read_attention("a", kHeads);
  return data.has_value() ? "" : data.error().message();
}

TEST(ModelSlimCacheScales, AreReadForEveryChannel) {
  const Checkpoint checkpoint(sides(kScales, kOffsets, kScales, kZeros), {{"kv_cache_type", "C8"}});
  const auto data = checkpoint.reader->read_attention("a", kHeads);
  ASSERT_TRUE(data.has_value()) << data.error().message();
  EXPECT_TRUE(data->int8_cache && data->keys.per_channel(kHeads.key));
  EXPECT_EQ(data->keys.scales, kScales);
  EXPECT_EQ(data->keys.offsets, kOffsets);
  EXPECT_EQ(data->values.scales, kScales);
  EXPECT_TRUE(data->values.offsets.empty());
  EXPECT_EQ(checkpoint.reader->attention_tensor_names("a").size(), 4U);
}

TEST(ModelSlimCacheScales, OtherLayersHaveNone) {
  const Checkpoint checkpoint(sides(kScales, kOffsets, kScales, kZeros));
  const auto data = checkpoint.reader->read_attention("b", kHeads);
  ASSERT_TRUE(data.has_value());
  EXPECT_FALSE(data->int8_cache);
  EXPECT_TRUE(checkpoint.reader->attention_tensor_names("b").empty());
}

TEST(ModelSlimCacheScales, WhatDoesNotFitIsNamed) {
  EXPECT_THAT(error_of({tensor("k_proj.kv_cache_scale", kScales)}),
              HasSubstr("a.k_proj.kv_cache_offset is missing from C8; a.v_proj.kv_cache_scale is missing"));
  EXPECT_THAT(error_of(sides({1, 1}, kOffsets, kScales, kZeros)),
              HasSubstr("a.k_proj.kv_cache_scale is F32 [2], expected 4 floats"));
  auto untyped = sides(kScales, kOffsets, kScales, kZeros);
  untyped[0].type = "FLOAT";
  EXPECT_THAT(error_of(untyped), HasSubstr("a.k_proj.kv_cache_scale is of type \"FLOAT\", expected C8"));
  for (const float bad : {0.F, -1.F, NAN, INFINITY})
    EXPECT_THAT(error_of(sides(kScales, kOffsets, {1, bad, 1, 1}, kZeros)),
                HasSubstr("v_proj.kv_cache_scale"));
  for (const float bad : {.5F, -129.F, 128.F})
    EXPECT_THAT(error_of(sides(kScales, {0, 0, bad, 0}, kScales, kZeros)),
                HasSubstr("a.k_proj.kv_cache_offset: element 2 is"));
}

}  // namespace
}  // namespace tessera::formats::modelslim
