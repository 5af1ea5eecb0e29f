// Every scheme read from tensors written here by hand, and every refusal. The ModelSlim library's own files
// are in golden_test.cc.
#include "formats/modelslim/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "formats/modelslim/test_checkpoint.h"
#include "quant/dequantize.h"

namespace tessera::formats::modelslim {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr auto kLinear = ModuleKind::kLinear;

using Tensors = std::vector<StoredTensor>;

const std::vector<int8_t> kCodes = {-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 7};  // [2, 6]

Tensors per_channel(const std::string& type) {
  return {stored<int8_t>("m.weight", DType::kI8, {2, 6}, kCodes, type),
          stored<float>("m.weight_scale", DType::kF32, {2, 1}, {.5F, 2.F}, type),
          stored<float>("m.weight_offset", DType::kF32, {2, 1}, {0.F, 0.F}, type)};
}

/// kCodes with the two rows of a column in one byte.
std::vector<int8_t> pairs_of_rows() {
  std::vector<int8_t> pairs;
  for (size_t k = 0; k < 6; ++k)
    pairs.push_back(static_cast<int8_t>((kCodes[k] & 15) | (kCodes[6 + k] << 4)));
  return pairs;
}

std::vector<int8_t> pairs_of_columns() {
  std::vector<int8_t> pairs;
  for (size_t k = 0; k < kCodes.size(); k += 2)
    pairs.push_back(static_cast<int8_t>((kCodes[k] & 15) | (kCodes[k + 1] << 4)));
  return pairs;
}

void expect_codes(const Checkpoint& checkpoint, const char* scheme) {
  ASSERT_EQ(checkpoint.error, "");
  const auto named = checkpoint.reader->scheme("m", kLinear);
  ASSERT_TRUE(named.has_value()) << named.error().message();
  EXPECT_EQ(named->name(), scheme);
  const auto data = checkpoint.reader->read("m", 2, 6);
  ASSERT_TRUE(data.has_value()) << data.error().message();
  EXPECT_EQ(data->scheme, *named);
  EXPECT_TRUE(std::ranges::equal(data->values.as<int8_t>(), kCodes));
}

TEST(ModelSlimReader, OneCodeAByte) {
  for (const auto& [type, scheme] : {std::pair{"W8A8_DYNAMIC", "w8a8"},
                                     {"W4A8_DYNAMIC", "w4a8"},
                                     {"W4A4_DYNAMIC", "w4a4"},
                                     {"W8A16", "w8a16"},
                                     {"W4A16", "w4a16"}}) {
    SCOPED_TRACE(type);
    auto tensors = per_channel(type);
    tensors.push_back(stored<float>("m.bias", DType::kF32, {2}, {3.F, 4.F}, "FLOAT"));
    const Checkpoint checkpoint(tensors);
    expect_codes(checkpoint, scheme);
    const auto data = checkpoint.reader->read("m", 2, 6);
    EXPECT_EQ(data->scales, (std::vector<float>{.5F, 2.F}));
    EXPECT_EQ(data->bias, (std::vector<float>{3.F, 4.F}));
    EXPECT_EQ(data->scheme.activation.rule, quant::ActivationRule::kAbsmax);
    EXPECT_EQ(checkpoint.reader->tensor_names("m", kLinear),
              (std::vector<std::string>{"m.weight", "m.bias", "m.weight_scale", "m.weight_offset"}));
  }
}

TEST(ModelSlimReader, TwoRowsAByte) {
  for (const auto& [type, scheme] :
       {std::pair{"W4A8_DYNAMIC", "w4a8"}, {"W4A4_DYNAMIC", "w4a4"}, {"W4A16", "w4a16"}}) {
    SCOPED_TRACE(type);
    auto tensors = per_channel(type);
    tensors[0] = stored<int8_t>("m.weight", DType::kI8, {1, 6}, pairs_of_rows(), type);
    expect_codes(Checkpoint(tensors), scheme);
    EXPECT_EQ(*Checkpoint(tensors).reader->linear_shape("m"), (Shape{2, 6}));
  }
  auto tensors = per_channel("W8A8_DYNAMIC");
  tensors[0] = stored<int8_t>("m.weight", DType::kI8, {1, 6}, pairs_of_rows(), "W8A8_DYNAMIC");
  EXPECT_EQ(Checkpoint(tensors).error_of_read("m", 2, 6), "m: weight is I8 [1, 6], expected I8 [2, 6]");
}

TEST(ModelSlimReader, TwoColumnsAByte) {
  auto tensors = per_channel("W4A16");
  tensors[0] = stored<int8_t>("m.weight", DType::kI8, {2, 3}, pairs_of_columns(), "W4A16");
  expect_codes(Checkpoint(tensors), "w4a16");
  // Alone, the tensors do not tell; the saver that packs columns writes its version.
  EXPECT_EQ(*Checkpoint(tensors).reader->linear_shape("m"), (Shape{2, 3}));
  EXPECT_EQ(*Checkpoint(tensors, {{"version", "1.0.0"}}).reader->linear_shape("m"), (Shape{2, 6}));
  tensors[0].type = tensors[1].type = tensors[2].type = "W4A4_DYNAMIC";
  EXPECT_THAT(Checkpoint(tensors).error_of_read("m", 2, 6),
              HasSubstr("weight is I8 [2, 3], expected I8 [2, 6] or two rows a byte [1, 6]"));
}

TEST(ModelSlimReader, GroupsAtOneLevelAndAtTwo) {
  auto tensors = per_channel("W4A8_DYNAMIC");
  tensors[1] = stored<float>("m.weight_scale", DType::kF32, {2, 3}, {1, 2, 3, 4, 5, 6}, "W4A8_DYNAMIC");
  tensors[2] = stored<float>("m.weight_offset", DType::kF32, {2, 3}, std::vector<float>(6), "W4A8_DYNAMIC");
  expect_codes(Checkpoint(tensors), "w4a8-g2");
  tensors = per_channel("W4A8_DYNAMIC");
  tensors.push_back(
      stored<float>("m.weight_scale_second", DType::kF32, {2, 2}, {1.F, 3.F, 5.F, 7.F}, "W4A8_DYNAMIC"));
  tensors.push_back(
      stored<float>("m.weight_offset_second", DType::kF32, {2, 2}, std::vector<float>(4), "W4A8_DYNAMIC"));
  tensors.push_back(stored<float>("m.scale_bias", DType::kF32, {2, 1}, {9, 9}, "W4A8_DYNAMIC"));
  const Checkpoint two_levels(tensors);
  expect_codes(two_levels, "w4a8-g3");
  EXPECT_EQ(two_levels.reader->read("m", 2, 6)->scales, (std::vector<float>{.5F, 1.5F, 10.F, 14.F}));
  tensors[4] = stored<float>("m.weight_offset_second", DType::kF32, {2, 2}, {0, 0, 1, 0}, "W4A8_DYNAMIC");
  EXPECT_EQ(Checkpoint(tensors).error_of_check("m", 2, 6),
            "m: offsets at two levels of scales, expected zeros");
  // Each is a scale, their product is not.
  tensors[4] = stored<float>("m.weight_offset_second", DType::kF32, {2, 2}, {0, 0, 0, 0}, "W4A8_DYNAMIC");
  tensors[3] =
      stored<float>("m.weight_scale_second", DType::kF32, {2, 2}, {1.F, 3.F, 3e38F, 7.F}, "W4A8_DYNAMIC");
  EXPECT_THAT(Checkpoint(tensors).error_of_read("m", 2, 6),
              HasSubstr("m.weight_scale_second: element 2 times its channel's scale is inf"));
}

TEST(ModelSlimReader, OffsetsAreZeroPoints) {
  auto tensors = per_channel("W8A16");
  tensors[2] = stored<float>("m.weight_offset", DType::kF32, {2, 1}, {-128.F, 3.F}, "W8A16");
  const Checkpoint checkpoint(tensors);
  auto data = checkpoint.reader->read("m", 2, 6);
  ASSERT_TRUE(data.has_value()) << data.error().message();
  EXPECT_FALSE(data->scheme.weight.symmetric);
  const auto values = quant::dequantize(*std::move(data));
  EXPECT_EQ(values->values.as<float>()[0], (-8.F + 128.F) * .5F);
  EXPECT_EQ(values->values.as<float>()[11], (7.F - 3.F) * 2.F);
  for (const float bad : {.5F, 128.F, -129.F, NAN}) {
    tensors[2] = stored<float>("m.weight_offset", DType::kF32, {2, 1}, {0.F, bad}, "W8A16");
    EXPECT_THAT(Checkpoint(tensors).error_of_read("m", 2, 6), HasSubstr("m.weight_offset: element 1 is"));
  }
}

Tensors static_input(bool bits) {
  const std::vector<float> deq = {.25F, .5F};
  Tensors tensors = {stored<int8_t>("m.weight", DType::kI8, {2, 6}, kCodes, "W8A8"),
                     stored<float>("m.input_scale", DType::kF32, {1}, {.5F}, "W8A8"),
                     stored<float>("m.input_offset", DType::kF32, {1}, {-3.F}, "W8A8"),
                     // Sums of the rows: -33 and 7. 12 and 0 remain.
                     stored<int32_t>("m.quant_bias", DType::kI32, {2}, {12 - 99, 21}, "W8A8"),
                     stored<float>("m.deq_scale", DType::kF32, {2}, deq, "W8A8"),
                     stored<float>("m.bias", DType::kF32, {2}, {3.1F, 0.F}, "FLOAT")};
  if (bits) {
    tensors[4] = stored<int64_t>("m.deq_scale", DType::kI64, {2},
                                 {std::bit_cast<int32_t>(deq[0]), std::bit_cast<int32_t>(deq[1])}, "W8A8");
  }
  return tensors;
}

TEST(ModelSlimReader, StaticInputs) {
  for (const bool bits : {false, true}) {
    const Checkpoint checkpoint(static_input(bits));
    const auto data = checkpoint.reader->read("m", 2, 6);
    ASSERT_TRUE(data.has_value()) << data.error().message();
    EXPECT_TRUE(data->scheme.activation.is_static);
    EXPECT_EQ(data->input, (quant::StaticScale{.scale = .5F, .zero_point = -3}));
    EXPECT_EQ(data->scales, (std::vector<float>{.5F, 1.F}));
    EXPECT_EQ(data->bias, (std::vector<float>{3.F, 0.F}))
        << "quant_bias less the offset's part, not the bias";
  }
  auto tensors = static_input(false);
  tensors[3] = stored<int32_t>("m.quant_bias", DType::kI32, {2}, {-99, 21}, "W8A8");
  EXPECT_TRUE(Checkpoint(tensors).reader->read("m", 2, 6)->bias.empty()) << "all of it was the offset's";
}

TEST(ModelSlimReader, StaticInputsThatLie) {
  for (const int64_t bad : {int64_t{1} << 40, int64_t{0}, int64_t{0x7fc00000}, int64_t{-1}}) {
    auto tensors = static_input(false);
    tensors[4] = stored<int64_t>("m.deq_scale", DType::kI64, {2}, {bad, 0x3f000000}, "W8A8");
    EXPECT_THAT(Checkpoint(tensors).error_of_read("m", 2, 6), HasSubstr("m.deq_scale: element 0 is "));
  }
  for (const float bad : {0.F, -1.F, NAN, INFINITY}) {
    auto tensors = static_input(false);
    tensors[1] = stored<float>("m.input_scale", DType::kF32, {1}, {bad}, "W8A8");
    EXPECT_THAT(Checkpoint(tensors).error_of_read("m", 2, 6), HasSubstr("m.input_scale: element 0 is "));
  }
  auto tensors = static_input(false);
  tensors.erase(tensors.begin() + 3);
  EXPECT_EQ(Checkpoint(tensors).error_of_check("m", 2, 6), "m: quant_bias is missing from W8A8");
}

TEST(ModelSlimReader, MixedInputsAreDynamic) {
  auto tensors = static_input(false);
  tensors.push_back(stored<float>("m.weight_scale", DType::kF32, {2, 1}, {.5F, 1.F}, "W8A8"));
  for (auto& tensor : tensors)
    if (tensor.type == "W8A8") tensor.type = "W8A8_MIX";
  const Checkpoint checkpoint(tensors);
  const auto data = checkpoint.reader->read("m", 2, 6);
  ASSERT_TRUE(data.has_value()) << data.error().message();
  EXPECT_FALSE(data->scheme.activation.is_static);
  EXPECT_EQ(data->scales, (std::vector<float>{.5F, 1.F}));
  EXPECT_EQ(data->bias, (std::vector<float>{3.1F, 0.F}))
      << "the bias itself: quant_bias belongs to static inputs";
}

Tensors flat_quant() {
  const std::string type = "W4A4_FLATQUANT_DYNAMIC";
  auto tensors = per_channel(type);
  tensors.push_back(stored<float>("m.left_trans", DType::kF32, {2, 2}, {1, 2, 3, 4}, type));
  tensors.push_back(stored<float>("m.right_trans", DType::kF32, {3, 3}, {1, 0, 0, 0, 1, 0, 0, 0, 5}, type));
  tensors.push_back(stored<float>("m.clip_ratio", DType::kF32, {1}, {.75F}, type));
  return tensors;
}

TEST(ModelSlimReader, KroneckerPairs) {
  const Checkpoint checkpoint(flat_quant());
  expect_codes(checkpoint, "w4a4-transformed");
  const auto data = checkpoint.reader->read("m", 2, 6);
  EXPECT_EQ(data->scheme.activation.clip_ratio, .75F);
  ASSERT_EQ(data->transform.size(), 1U);
  EXPECT_EQ(std::get<quant::KroneckerPair>(data->transform[0]),
            (quant::KroneckerPair{2, 3, {1, 2, 3, 4}, {1, 0, 0, 0, 1, 0, 0, 0, 5}}));
  auto tensors = flat_quant();
  tensors.pop_back();
  EXPECT_EQ(Checkpoint(tensors).reader->scheme("m", kLinear)->activation.clip_ratio, 1.F);
}

TEST(ModelSlimReader, KroneckerPairsThatLie) {
  for (const float bad : {0.F, -1.F, 1.5F, NAN}) {
    auto tensors = flat_quant();
    tensors[5] = stored<float>("m.clip_ratio", DType::kF32, {1}, {bad}, tensors[5].type);
    EXPECT_THAT(Checkpoint(tensors).error_of_check("m", 2, 6), HasSubstr("m.clip_ratio: "));
  }
  auto tensors = flat_quant();
  tensors[4] = stored<float>("m.right_trans", DType::kF32, {2, 2}, {1, 2, 3, 4}, tensors[4].type);
  EXPECT_EQ(Checkpoint(tensors).error_of_check("m", 2, 6),
            "m: right_trans is F32 [2, 2], expected floats [3, 3]");
  tensors[3] = stored<float>("m.left_trans", DType::kF32, {4, 1}, {1, 2, 3, 4}, tensors[3].type);
  EXPECT_EQ(Checkpoint(tensors).error_of_check("m", 2, 6),
            "m: left_trans is F32 [4, 1], expected [a, a] with a dividing the 6 columns");
  tensors.erase(tensors.begin() + 3);
  EXPECT_EQ(Checkpoint(tensors).error_of_check("m", 2, 6),
            "m: left_trans is missing from W4A4_FLATQUANT_DYNAMIC");
  tensors = per_channel("W8A8_DYNAMIC");
  tensors.push_back(stored<float>("m.clip_ratio", DType::kF32, {1}, {.5F}, "W8A8_DYNAMIC"));
  EXPECT_EQ(Checkpoint(tensors).error_of_check("m", 2, 6), "m: clip_ratio does not belong to W8A8_DYNAMIC");
  tensors = flat_quant();
  tensors[3] = stored<float>("m.left_trans", DType::kF32, {2, 2}, {1, NAN, 3, 4}, tensors[3].type);
  EXPECT_THAT(Checkpoint(tensors).error_of_read("m", 2, 6), HasSubstr("m.left_trans: element 1 is nan"));
}

TEST(ModelSlimReader, FactorsOfTheInput) {
  for (const char* type : {"W8A8_DYNAMIC", "FLOAT"}) {
    SCOPED_TRACE(type);
    Tensors tensors = {stored<float>("m.div.mul_scale", DType::kF32, {6}, {1, 2, 3, 4, 5, 6}, "FLOAT"),
                       stored<float>("m.linear.bias", DType::kF32, {2}, {3.F, 4.F}, "FLOAT")};
    if (type == std::string("FLOAT")) {
      tensors.push_back(
          stored<float>("m.linear.weight", DType::kF32, {2, 6}, std::vector<float>(12, 1.F), type));
    } else {
      tensors.push_back(stored<int8_t>("m.linear.weight", DType::kI8, {2, 6}, kCodes, type));
      tensors.push_back(stored<float>("m.linear.weight_scale", DType::kF32, {2, 1}, {1.F, 1.F}, type));
    }
    const Checkpoint checkpoint(tensors);
    const auto data = checkpoint.reader->read("m", 2, 6);
    ASSERT_TRUE(data.has_value()) << data.error().message();
    EXPECT_TRUE(data->scheme.transformed && *checkpoint.reader->scheme("m", kLinear) == data->scheme);
    ASSERT_EQ(data->transform.size(), 1U);
    EXPECT_EQ(std::get<quant::ColumnFactors>(data->transform[0]).factors,
              (std::vector<float>{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(data->bias, (std::vector<float>{3.F, 4.F}));
    // One who walks over the tensors finds the same module.
    EXPECT_EQ(checkpoint.reader->tensor_names("m.linear", kLinear),
              checkpoint.reader->tensor_names("m", kLinear));
    tensors[0] = stored<float>("m.div.mul_scale", DType::kF32, {5}, {1, 2, 3, 4, 5}, "FLOAT");
    EXPECT_THAT(Checkpoint(tensors).error_of_check("m", 2, 6),
                HasSubstr("div.mul_scale is F32 [5], expected floats [6]"));
  }
}

TEST(ModelSlimReader, FloatModulesAndUndescribedOnes) {
  const Checkpoint checkpoint({stored<float>("m.weight", DType::kF32, {1, 2}, {1.F, 2.F}, "FLOAT"),
                               stored<uint16_t>("n.weight", DType::kBF16, {1, 1}, {0x3f80}, ""),
                               stored<int8_t>("q.weight", DType::kI8, {1, 1}, {1}, ""),
                               stored<int8_t>("f.weight", DType::kI8, {1, 1}, {1}, "FLOAT")});
  EXPECT_EQ(checkpoint.reader->format_name(), "modelslim");
  EXPECT_EQ(checkpoint.reader->scheme("m", kLinear)->name(), "f32");
  EXPECT_EQ(checkpoint.reader->scheme("n", kLinear)->name(), "bf16");
  EXPECT_TRUE(checkpoint.reader->read("m", 1, 2).has_value());
  EXPECT_EQ(checkpoint.error_of_read("q", 1, 1), "q: weight is I8, but the description gives it no type");
  EXPECT_EQ(checkpoint.error_of_read("f", 1, 1),
            "f: weight is I8 but its type is FLOAT, expected F32, F16 or BF16");
  EXPECT_EQ(checkpoint.error_of_read("absent", 1, 1), "absent.weight: not in the checkpoint");
}

TEST(ModelSlimReader, UnsupportedTypesAreNamed) {
  const Checkpoint checkpoint(per_channel("W4A4_MXFP4"));
  EXPECT_EQ(checkpoint.error_of_check("m", 2, 6),
            "m: type W4A4_MXFP4, expected FLOAT, W8A8, W8A8_DYNAMIC, W8A8_MIX, W8A16, W4A16, W4A8_DYNAMIC, "
            "W4A4_DYNAMIC, W4A4_FLATQUANT_DYNAMIC");
  auto embedding = per_channel("W8A16");
  EXPECT_EQ(Checkpoint(embedding).reader->scheme("m", ModuleKind::kEmbedding).error().message(),
            "m: an embedding of type W8A16, expected FLOAT");
}

TEST(ModelSlimReader, MisfitsAreNamedTogether) {
  auto tensors = per_channel("W4A4_DYNAMIC");
  tensors[1].type = "W8A8_DYNAMIC";
  tensors.push_back(stored<float>("m.bias", DType::kF32, {3}, {1, 2, 3}, "FLOAT"));
  tensors.push_back(stored<float>("m.deq_scale", DType::kF32, {2}, {1, 2}, "W4A4_DYNAMIC"));
  tensors.push_back(stored<float>("m.left_trans", DType::kF32, {1, 1}, {1}, "W4A4_DYNAMIC"));
  const std::string message = Checkpoint(tensors).error_of_check("m", 4, 6);
  for (const char* part :
       {"m: ", "weight_scale is described as W8A8_DYNAMIC, the weight as W4A4_DYNAMIC",
        "weight is I8 [2, 6], expected I8 [4, 6] or two rows a byte [2, 6]",
        "deq_scale does not belong to W4A4_DYNAMIC", "left_trans does not belong to W4A4_DYNAMIC",
        "weight_scale is F32 [2, 1], expected floats [4, 1]",
        "weight_offset is F32 [2, 1], expected floats [4, 1]", "bias is F32 [3], expected floats [4]"}) {
    if (std::string_view(part).starts_with("weight is I8")) continue;  // [2, 6] are four rows, two a byte
    EXPECT_THAT(message, HasSubstr(part));
  }
  EXPECT_THAT(Checkpoint(tensors).error_of_check("m", 3, 6),
              HasSubstr("weight is I8 [2, 6], expected I8 [3, 6]"));
}

TEST(ModelSlimReader, LyingTensors) {
  for (const float bad : {0.F, -1.F, NAN, INFINITY}) {
    auto tensors = per_channel("W8A8_DYNAMIC");
    tensors[1] = stored<float>("m.weight_scale", DType::kF32, {2, 1}, {1.F, bad}, "W8A8_DYNAMIC");
    EXPECT_THAT(Checkpoint(tensors).error_of_read("m", 2, 6), HasSubstr("m.weight_scale: element 1"));
  }
  auto tensors = per_channel("W4A4_DYNAMIC");
  tensors[0].bytes[5] = 8;
  EXPECT_EQ(Checkpoint(tensors).error_of_read("m", 2, 6),
            "m.weight: element 5 is 8, expected -8 to 7 in W4A4_DYNAMIC");
  tensors = per_channel("W4A4_DYNAMIC");
  tensors[0].spec.dtype = DType::kU8;
  EXPECT_THAT(Checkpoint(tensors).error_of_read("m", 2, 6),
              HasSubstr("weight is U8 [2, 6], expected I8 [2, 6]"));
  tensors = per_channel("W4A4_DYNAMIC");
  tensors[1] =
      stored<float>("m.weight_scale", DType::kF32, {2, 4}, std::vector<float>(8, 1.F), "W4A4_DYNAMIC");
  EXPECT_THAT(Checkpoint(tensors).error_of_read("m", 2, 6),
              HasSubstr("weight_scale is F32 [2, 4], expected groups that divide the 6 columns"));
  tensors.erase(tensors.begin() + 1);
  EXPECT_EQ(Checkpoint(tensors).error_of_read("m", 2, 6), "m: weight_scale is missing from W4A4_DYNAMIC");
}

TEST(ModelSlimDirectory, WeightFilesByEveryName) {
  const Checkpoint checkpoint(per_channel("W8A8_DYNAMIC"));
  const auto rename = [&](const std::string& from, const std::string& to) {
    std::filesystem::rename(checkpoint.directory.path() + "/" + from, checkpoint.directory.path() + "/" + to);
  };
  const auto opens = [&]() -> std::string {
    const auto source = open_safetensors_dir(checkpoint.directory.path());
    return source.has_value() ? "" : source.error().message();
  };
  rename("quant_model_weights.safetensors", "quant_model_weight_w8a8_dynamic.safetensors");
  EXPECT_EQ(opens(), "");
  rename("quant_model_description.json", "elsewhere.json");
  EXPECT_THAT(
      opens(),
      HasSubstr("has quant_model_weight_w8a8_dynamic.safetensors but no quant_model_description.json"));
  rename("elsewhere.json", "quant_model_description.json");
  // The float model may lie beside: it is not what the description speaks of.
  checkpoint.directory.write("model.safetensors", "no safetensors at all");
  EXPECT_EQ(opens(), "");
  std::filesystem::copy(checkpoint.directory.path() + "/quant_model_weight_w8a8_dynamic.safetensors",
                        checkpoint.directory.path() + "/quant_model_weights.safetensors");
  EXPECT_THAT(
      opens(),
      HasSubstr("has quant_model_weight_w8a8_dynamic.safetensors and quant_model_weights.safetensors, "
                "expected one of them"));
  rename("quant_model_weights.safetensors", "quant_model_weights-00001-of-00001.safetensors");
  rename("quant_model_weight_w8a8_dynamic.safetensors", "elsewhere");
  const std::string shard = "quant_model_weights-00001-of-00001.safetensors";
  checkpoint.directory.write(
      "quant_model_weights.safetensors.index.json",
      json{{"weight_map", {{"m.weight", shard}, {"m.weight_scale", shard}, {"m.weight_offset", shard}}}}
          .dump());
  EXPECT_EQ(opens(), "");
}

TEST(ModelSlimDirectory, DescriptionsThatLie) {
  Checkpoint checkpoint(per_channel("W8A8_DYNAMIC"),
                        {{"absent.weight", "W8A8_DYNAMIC"}, {"b.weight", "FLOAT"}});
  EXPECT_EQ(checkpoint.error,
            "quant_model_description.json: names tensors that are not in the checkpoint: absent.weight "
            "(W8A8_DYNAMIC), "
            "b.weight (FLOAT)");
  const auto error_with = [&](const std::string& text) {
    checkpoint.directory.write("quant_model_description.json", text);
    checkpoint.open();
    return checkpoint.error;
  };
  EXPECT_THAT(error_with("{\"m.weight\":\"FLOAT\",\"m.weight\":\"W8A8\"}"),
              HasSubstr("duplicate key \"m.weight\""));
  EXPECT_THAT(error_with("{\"metadata\":" + std::string(20, '[') + std::string(20, ']') + "}"),
              HasSubstr("nested"));
  EXPECT_EQ(error_with("{\"m.weight\":8}"),
            "quant_model_description.json: m.weight=8, expected a quantization type as text");
  EXPECT_EQ(error_with("[1]"), "quant_model_description.json: [1], expected an object of tensor names");
  EXPECT_EQ(error_with("{\"version\":\"1.0.0\"}"),
            "quant_model_description.json: names no tensor, expected a type for each");
  EXPECT_THAT(error_with("{"), HasSubstr("quant_model_description.json: not valid JSON"));
  checkpoint.directory.write("quant_model_description_w8a8.json", "{}");
  EXPECT_THAT(error_with("{}"),
              HasSubstr("has quant_model_description.json and quant_model_description_w8a8.json, "
                        "expected one quant_model_description"));
}

TEST(ModelSlimDirectory, UnsupportedFeaturesAreNamedTogether) {
  const Checkpoint checkpoint(per_channel("W8A8_DYNAMIC"),
                              {{"fa_quant_type", "FAKQuant"},
                               {"kv_cache_type", "C8"},
                               {"metadata", {{"quarot", {{"max_tp_size", 4}}}}},
                               {"reduce_quant_type", "per_channel"},
                               {"surprise", 1},
                               {"group_size", 0},
                               {"optional", {{"quarot", {{"rotation_map", json::object()}}}}}});
  EXPECT_EQ(checkpoint.error,
            "quant_model_description.json: fa_quant_type=\"FAKQuant\" (quantized attention); metadata.quarot "
            "(online "
            "rotations); reduce_quant_type=\"per_channel\" (quantized reductions); surprise=1, an unknown "
            "key not supported");
}

}  // namespace
}  // namespace tessera::formats::modelslim
