#include "formats/compressed_tensors/cache_scales.h"

#include <gmock/gmock.h>

#include <cmath>

#include "formats/compressed_tensors/test_checkpoint.h"

namespace tessera::formats::compressed_tensors {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr AttentionHeads kHeads{.query = 4, .key = 2, .dim = 8};

json config_of(const json& cache) {
  return {{"quant_method", "compressed-tensors"},
          {"format", "dense"},
          {"config_groups", json::object()},
          {"kv_cache_scheme", cache}};
}

std::vector<StoredTensor> scales(const std::string& k, const std::string& v, const Shape& shape,
                                 const std::vector<float>& numbers) {
  return {stored<float>(k, DType::kF32, shape, numbers), stored<float>(v, DType::kF32, shape, numbers)};
}

const json kPerTensor = {{"num_bits", 8}, {"strategy", "tensor"}, {"dynamic", false}};

TEST(CompressedTensorsCacheScales, OneForAllHeadsOrForEach) {
  struct Names {
    const char *k, *v;
  };
  for (const auto& [k, v] : {Names{"a.k_scale", "a.v_scale"}, Names{"a.k_proj.k_scale", "a.v_proj.v_scale"},
                             Names{"a.k_proj.output_scale", "a.v_proj.output_scale"}}) {
    const Checkpoint one(config_of(kPerTensor), scales(k, v, {1}, {.5F}));
    const auto data = one.reader->read_attention("a", kHeads);
    ASSERT_TRUE(data.has_value()) << data.error().message();
    EXPECT_TRUE(data->int8_cache);
    EXPECT_EQ(data->keys.scales, (std::vector<float>{.5F, .5F}));
    EXPECT_EQ(data->values.scales, (std::vector<float>{.5F, .5F}));
    EXPECT_THAT(one.reader->tensor_names("a.k_proj", ModuleKind::kLinear), testing::Contains(std::string(k)));
  }
  json per_head = kPerTensor;
  per_head["strategy"] = "attn_head";
  const Checkpoint each(config_of(per_head), scales("a.k_scale", "a.v_scale", {2, 1, 1}, {.5F, .25F}));
  EXPECT_EQ(each.reader->read_attention("a", kHeads)->keys.scales, (std::vector<float>{.5F, .25F}));
}

TEST(CompressedTensorsCacheScales, DynamicOnesNeedNone) {
  const Checkpoint checkpoint(config_of({{"num_bits", 8}, {"strategy", "token"}, {"dynamic", true}}), {});
  const auto data = checkpoint.reader->read_attention("a", kHeads);
  EXPECT_TRUE(data->int8_cache && data->keys.scales.empty());
  const Checkpoint floats(config_of({{"num_bits", 8}, {"type", "float"}}),
                          scales("a.k_scale", "a.v_scale", {1}, {1.F}));
  EXPECT_FALSE(floats.reader->read_attention("a", kHeads)->int8_cache);
}

TEST(CompressedTensorsCacheScales, WhatDoesNotFitIsNamed) {
  const auto error = [](const std::vector<StoredTensor>& tensors) {
    const Checkpoint checkpoint(config_of(kPerTensor), tensors);
    const auto data = checkpoint.reader->read_attention("a", kHeads);
    return data.has_value() ? "" : data.error().message();
  };
  EXPECT_THAT(error({}), HasSubstr("k_scale of kv_cache_scheme is missing; v_scale"));
  EXPECT_THAT(error(scales("a.k_scale", "a.v_scale", {3}, {1.F, 1.F, 1.F})),
              HasSubstr("a.k_scale is F32 [3], expected a float or 2"));
  for (const float bad : {0.F, -1.F, NAN, INFINITY}) {
    EXPECT_THAT(error(scales("a.k_scale", "a.v_scale", {1}, {bad})), HasSubstr("a.k_scale: element 0 is"));
  }
}

}  // namespace
}  // namespace tessera::formats::compressed_tensors
