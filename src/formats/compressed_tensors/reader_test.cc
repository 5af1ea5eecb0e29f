#include "formats/compressed_tensors/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "formats/compressed_tensors/test_checkpoint.h"
#include "formats/json_limits.h"
#include "quant/integer_codes.h"
#include "tensor/float_convert.h"

namespace tessera::formats::compressed_tensors {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json config_of(int weight_bits, int activation_bits, int group_size, const char* format) {
  json group = {
      {"targets", {"Linear"}},
      {"format", format},
      {"weights", {{"num_bits", weight_bits}, {"strategy", group_size == 0 ? "channel" : "group"}}}};
  if (group_size != 0) group["weights"]["group_size"] = group_size;
  if (activation_bits != 16) {
    group["input_activations"] = {{"num_bits", activation_bits}, {"strategy", "token"}, {"dynamic", true}};
  }
  return {{"quant_method", "compressed-tensors"},
          {"format", format},
          {"ignore", {"lm_head"}},
          {"config_groups", {{"group_0", group}}}};
}

const std::vector<int8_t> kCodes = {-8, -7, -6, -5, -4, -3, -2, -1, 0, 7};
const std::vector<uint32_t> kWords = {0x76543210, 0x000000F8};

std::vector<StoredTensor> packed_module() {
  return {stored<uint32_t>("m.weight_packed", DType::kI32, {1, 2}, kWords),
          stored<float>("m.weight_scale", DType::kF32, {1, 1}, {.5F}),
          stored<int64_t>("m.weight_shape", DType::kI64, {2}, {1, 10}),
          stored<float>("m.bias", DType::kF32, {1}, {3.F})};
}

std::vector<StoredTensor> integer_module() {
  return {stored<int8_t>("m.weight", DType::kI8, {2, 5}, kCodes),
          stored<uint16_t>("m.weight_scale", DType::kBF16, {2, 1}, {f32_to_bf16(.5F), f32_to_bf16(2.F)})};
}

TEST(CompressedTensorsReader, PackQuantized) {
  const Checkpoint checkpoint(config_of(4, 16, 0, "pack-quantized"), packed_module());
  const auto data = checkpoint.reader->read("m", 1, 10);
  ASSERT_TRUE(data.has_value()) << data.error().message();
  EXPECT_EQ(data->scheme.name(), "w4a16");
  EXPECT_TRUE(std::ranges::equal(data->values.as<int8_t>(), kCodes));
  EXPECT_EQ(data->scales, std::vector<float>{.5F});
  EXPECT_EQ(data->bias, std::vector<float>{3.F});
  EXPECT_EQ(checkpoint.reader->tensor_names("m", ModuleKind::kLinear),
            (std::vector<std::string>{"m.weight_packed", "m.weight_scale", "m.weight_shape", "m.bias"}));
}

TEST(CompressedTensorsReader, IntQuantized) {
  const Checkpoint checkpoint(config_of(4, 4, 0, "int-quantized"), integer_module());
  const auto data = checkpoint.reader->read("m", 2, 5);
  ASSERT_TRUE(data.has_value()) << data.error().message();
  EXPECT_EQ(data->scheme.name(), "w4a4");
  EXPECT_TRUE(std::ranges::equal(data->values.as<int8_t>(), kCodes));
  EXPECT_EQ(data->scales, (std::vector<float>{.5F, 2.F}));
  EXPECT_TRUE(data->bias.empty());
}

TEST(CompressedTensorsReader, TensorsHaveTheLastWord) {
  auto tensors = integer_module();
  tensors.push_back(stored<float>("f.weight", DType::kF32, {1, 2}, {1.F, 2.F}));
  tensors.push_back(stored<int8_t>("lm_head.weight", DType::kI8, {1, 4}, {1, 2, 3, 4}));
  tensors.push_back(stored<float>("lm_head.weight_scale", DType::kF32, {1, 2}, {1.F, 2.F}));
  const Checkpoint checkpoint(config_of(8, 8, 0, "int-quantized"), tensors);
  EXPECT_EQ(checkpoint.reader->scheme("f", ModuleKind::kLinear)->name(), "f32");
  EXPECT_TRUE(checkpoint.reader->read("f", 1, 2).has_value());
  // Ignored by the config, quantized in fact; the inputs stay in float, since nothing says otherwise.
  EXPECT_EQ(checkpoint.reader->scheme("lm_head", ModuleKind::kLinear)->name(), "w8a16-g2");
  EXPECT_EQ(checkpoint.reader->read("lm_head", 1, 4)->scales, (std::vector<float>{1.F, 2.F}));
}

TEST(CompressedTensorsReader, KeptSymmetricZeroPointsMustBeZero) {
  auto tensors = integer_module();
  tensors.push_back(stored<int8_t>("m.weight_zero_point", DType::kI8, {2, 1}, {0, 0}));
  EXPECT_EQ(Checkpoint(config_of(8, 8, 0, "int-quantized"), tensors).error_of_read("m", 2, 5), "");
  tensors.back() = stored<int8_t>("m.weight_zero_point", DType::kI8, {2, 1}, {0, 3});
  EXPECT_THAT(Checkpoint(config_of(8, 8, 0, "int-quantized"), tensors).error_of_read("m", 2, 5),
              HasSubstr("m.weight_zero_point: element 1 is 3"));
}

TEST(CompressedTensorsReader, MisfitsAreNamedTogether) {
  auto tensors = packed_module();
  tensors.push_back(stored<int32_t>("m.weight_g_idx", DType::kI32, {10}, std::vector<int32_t>(10)));
  const Checkpoint checkpoint(config_of(4, 16, 0, "pack-quantized"), tensors);
  const auto status = checkpoint.reader->check("m", 3, 20);
  ASSERT_FALSE(status.has_value());
  for (const char* part :
       {"m: ", "weight_packed is I32 [1, 2], expected [3, 3]",
        "weight_scale is F32 [1, 1], expected a float [3, 1]", "bias is [1], expected [3]",
        "weight_g_idx is I32 [10], expected I32 [20]", "weight_g_idx of weights without groups"}) {
    EXPECT_THAT(status.error().message(), HasSubstr(part));
  }
}

std::vector<StoredTensor> reordered_module(std::vector<int32_t> index) {
  return {stored<int8_t>("m.weight", DType::kI8, {1, 4}, {1, 2, 3, 4}),
          stored<float>("m.weight_scale", DType::kF32, {1, 2}, {.5F, 2.F}),
          stored<int32_t>("m.weight_g_idx", DType::kI32, {4}, index)};
}

TEST(CompressedTensorsReader, ColumnsAreSortedByTheirGroup) {
  const auto config = config_of(8, 8, 2, "int-quantized");
  const Checkpoint checkpoint(config, reordered_module({1, 0, 1, 0}));
  EXPECT_EQ(checkpoint.reader->scheme("m", ModuleKind::kLinear)->name(), "w8a8-g2-transformed");
  const auto data = checkpoint.reader->read("m", 1, 4);
  ASSERT_TRUE(data.has_value()) << data.error().message();
  EXPECT_TRUE(std::ranges::equal(data->values.as<int8_t>(), std::vector<int8_t>{2, 4, 1, 3}));
  EXPECT_EQ(data->transform, (quant::InputTransform{quant::ColumnOrder{{1, 3, 0, 2}}}));
  for (const std::vector<int32_t>& none : {std::vector<int32_t>{0, 0, 1, 1}, {1, 0, -1, 0}}) {
    const auto plain = Checkpoint(config, reordered_module(none)).reader->read("m", 1, 4);
    ASSERT_TRUE(plain.has_value()) << plain.error().message();
    EXPECT_TRUE(plain->transform.empty() && !plain->scheme.transformed);
    EXPECT_TRUE(std::ranges::equal(plain->values.as<int8_t>(), std::vector<int8_t>{1, 2, 3, 4}));
  }
  EXPECT_THAT(Checkpoint(config, reordered_module({0, 0, 0, 1})).error_of_read("m", 1, 4),
              HasSubstr("m.weight_g_idx: 3 columns in group 0, expected 2"));
  EXPECT_THAT(Checkpoint(config, reordered_module({0, 2, 0, 1})).error_of_read("m", 1, 4),
              HasSubstr("m.weight_g_idx: element 1 is 2, expected 0 to 1"));
}

TEST(CompressedTensorsReader, StaticInputs) {
  json config = config_of(8, 8, 0, "int-quantized");
  config["config_groups"]["group_0"]["input_activations"] = {
      {"num_bits", 8}, {"strategy", "tensor"}, {"dynamic", false}, {"symmetric", false}};
  auto tensors = integer_module();
  EXPECT_THAT(Checkpoint(config, tensors).error_of_read("m", 2, 5), HasSubstr("m: input_scale is missing"));
  tensors.push_back(stored<float>("m.input_scale", DType::kF32, {1}, {.25F}));
  tensors.push_back(stored<int8_t>("m.input_zero_point", DType::kI8, {1}, {-7}));
  const auto data = Checkpoint(config, tensors).reader->read("m", 2, 5);
  ASSERT_TRUE(data.has_value()) << data.error().message();
  EXPECT_EQ(data->scheme.name(), "w8a8-static");
  EXPECT_EQ(data->input, (quant::StaticScale{.scale = .25F, .zero_point = -7}));
}

/// Blocks that the edges cut off; NaN; scales of the KV cache that nobody reads.
TEST(CompressedTensorsReader, Float8) {
  json config = config_of(8, 16, 0, "float-quantized");
  config["config_groups"]["group_0"]["weights"] = {
      {"num_bits", 8}, {"type", "float"}, {"strategy", "block"}, {"block_structure", {2, 2}}};
  config["kv_cache_scheme"] = {{"num_bits", 8}, {"type", "float"}, {"strategy", "tensor"}};
  // 1, 2, -0.5 and the largest (448) and the smallest (2^-9) of E4M3.
  const std::vector<uint8_t> codes{0x38, 0x40, 0xB0, 0x7E, 0x01, 0x38, 0x38, 0x38, 0x40};
  std::vector<StoredTensor> tensors{
      stored<uint8_t>("a.k_proj.weight", DType::kF8E4M3, {3, 3}, codes),
      stored<float>("a.k_proj.weight_scale", DType::kF32, {2, 2}, {1.F, 2.F, 4.F, 8.F}),
      stored<float>("a.k_scale", DType::kF32, {1}, {1.F})};
  const Checkpoint checkpoint(config, tensors);
  const auto data = checkpoint.reader->read("a.k_proj", 3, 3);
  ASSERT_TRUE(data.has_value()) << data.error().message();
  EXPECT_EQ(data->scheme.name(), "bf16");
  EXPECT_THAT(data->values.as<float>(),
              testing::ElementsAre(1.F, 2.F, -1.F, 448.F, 1.F / 512, 2.F, 4.F, 4.F, 16.F));
  EXPECT_THAT(checkpoint.reader->tensor_names("a.k_proj", ModuleKind::kLinear),
              testing::Contains("a.k_scale"));
  tensors[0].bytes[4] = 0x7F;
  EXPECT_THAT(Checkpoint(config, tensors).error_of_read("a.k_proj", 3, 3), HasSubstr("not a finite number"));
}

TEST(CompressedTensorsReader, LyingTensors) {
  const auto read_error = [](const json& config, std::vector<StoredTensor> tensors, size_t index,
                             StoredTensor replacement, int64_t out, int64_t in) {
    tensors[index] = std::move(replacement);
    return Checkpoint(config, tensors).error_of_read("m", out, in);
  };
  const auto pack = config_of(4, 16, 0, "pack-quantized");
  EXPECT_THAT(read_error(pack, packed_module(), 2,
                         stored<int64_t>("m.weight_shape", DType::kI64, {2}, {1, 9}), 1, 10),
              HasSubstr("m.weight_shape = [1, 9], expected [1, 10]"));
  for (const float bad : {0.F, -1.F, NAN, INFINITY}) {
    EXPECT_THAT(read_error(pack, packed_module(), 1,
                           stored<float>("m.weight_scale", DType::kF32, {1, 1}, {bad}), 1, 10),
                HasSubstr("m.weight_scale: element 0"));
  }
  EXPECT_THAT(read_error(pack, packed_module(), 3, stored<float>("m.bias", DType::kF32, {1}, {NAN}), 1, 10),
              HasSubstr("m.bias: element 0"));
  EXPECT_THAT(
      read_error(config_of(4, 4, 0, "int-quantized"), integer_module(), 0,
                 stored<int8_t>("m.weight", DType::kI8, {2, 5}, {0, 0, 0, 0, 0, 0, 0, 0, 8, 0}), 2, 5),
      HasSubstr("m.weight: element 8 is 8, expected -8 to 7"));
  EXPECT_THAT(Checkpoint(config_of(8, 8, 2, "int-quantized"), integer_module()).error_of_read("m", 2, 5),
              HasSubstr("group_size=2 does not divide the 5 input columns"));
  EXPECT_THAT(Checkpoint(config_of(8, 8, 0, "int-quantized"), integer_module()).error_of_read("absent", 2, 5),
              HasSubstr("absent: neither weight nor weight_packed"));
}

TEST(CompressedTensorsReader, ForeignStorageIsNamed) {
  const auto config = config_of(8, 8, 0, "int-quantized");
  EXPECT_THAT(
      Checkpoint(config, {stored<int16_t>("m.weight", DType::kI16, {1, 2}, {1, 2})}).error_of_read("m", 1, 2),
      HasSubstr("m: weight is I16"));
  EXPECT_THAT(Checkpoint(config, {stored<uint8_t>("m.weight_packed", DType::kU8, {1, 2}, {1, 2})})
                  .error_of_read("m", 1, 4),
              HasSubstr("m: weight_packed is U8"));
  EXPECT_THAT(
      Checkpoint(config, {stored<uint8_t>("m.bitmask", DType::kU8, {1, 2}, {1, 2})}).error_of_read("m", 1, 4),
      HasSubstr("\"bitmask\""));
}

std::string open_error(const json& quantization_config) {
  const Checkpoint plain(nullptr, {stored<float>("m.weight", DType::kF32, {1, 1}, {1.F})});
  const auto reader = open_weight_reader({{"quantization_config", quantization_config}},
                                         plain.directory.path(), *plain.source);
  return reader.has_value() ? "" : reader.error().message();
}

TEST(WeightFormats, UnsupportedConfigsAreOneClearError) {
  EXPECT_THAT(open_error({{"quant_method", "hqq"}}),
              HasSubstr("quant_method=\"hqq\", expected \"compressed-tensors\", \"gptq\", \"awq\" or no"));
  EXPECT_THAT(open_error(3), HasSubstr("no quant_method"));
  EXPECT_THAT(open_error(config_of(8, 8, 0, "sparse-24-bitmask")),
              HasSubstr("format \"sparse-24-bitmask\", which is not supported"));
  EXPECT_THAT(open_error(config_of(9, 16, 0, "pack-quantized")), HasSubstr("9-bit int"));
  auto broken = config_of(8, 8, 0, "int-quantized");
  broken.erase("quant_method");
  EXPECT_THAT(open_error(broken), HasSubstr("no quant_method"));
  broken = config_of(8, 8, 0, "int-quantized");
  broken["config_groups"]["group_0"]["targets"] = {"re:("};
  EXPECT_THAT(open_error(broken),
              HasSubstr("config.json: quantization_config.config_groups.group_0: regex \"(\""));
}

TEST(WeightFormats, FloatDirectories) {
  const Checkpoint checkpoint(nullptr, {stored<uint16_t>("m.weight", DType::kF16, {1, 2}, {1, 2}),
                                        stored<float>("m.bias", DType::kF32, {1}, {3.F}),
                                        stored<int8_t>("q.weight", DType::kI8, {1, 1}, {1})});
  EXPECT_EQ(checkpoint.reader->format_name(), "none");
  EXPECT_EQ(checkpoint.reader->scheme("m", ModuleKind::kLinear)->weight.bits, 16);
  const auto data = checkpoint.reader->read("m", 1, 2);
  ASSERT_TRUE(data.has_value()) << data.error().message();
  EXPECT_EQ(data->values.dtype(), DType::kF16);
  EXPECT_EQ(data->bias, std::vector<float>{3.F});
  EXPECT_THAT(checkpoint.error_of_read("m", 2, 2),
              HasSubstr("weight is [1, 2], expected [2, 2]; bias is [1], expected [2]"));
  EXPECT_THAT(checkpoint.error_of_read("q", 1, 1), HasSubstr("weight is I8"));
  EXPECT_THAT(checkpoint.error_of_read("absent", 1, 1), HasSubstr("weight is missing"));
}

// ---- against the compressed-tensors library itself (tools/golden/make_compressed_tensors_goldens.py) ----

struct Golden {
  json scheme, facts;  // the library's QuantizationScheme; {num_bits, group_size, symmetric, format,
                       // arithmetic, scale_dtype}
};

Golden golden_facts(const std::filesystem::path& file) {
  const std::string bytes = *read_text_file(file, 1 << 20);
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), 8);
  const json header = *parse_json(std::string_view(bytes).substr(8, header_bytes), file.filename().string());
  return {json::parse(header["__metadata__"]["scheme"].get<std::string>()),
          json::parse(header["__metadata__"]["case"].get<std::string>())};
}

/// The directory entries, sorted: a loop over none must fail.
std::vector<std::filesystem::path> golden_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(TESSERA_SOURCE_DIR "/tests/golden/quant")) {
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

json golden_config(const Golden& golden) {
  json group = golden.scheme;
  group["format"] = golden.facts["format"];
  return {{"quant_method", "compressed-tensors"},
          {"format", golden.facts["format"]},
          {"config_groups", {{"group_0", group}}}};
}

/// Codes, scales and dequantized values of the library's file as our reader sees them.
void expect_reads_as_the_library(const Checkpoint& checkpoint, const Golden& golden) {
  const Tensor codes = *checkpoint.source->read("codes");
  const Tensor dequantized = *checkpoint.source->read("dequantized");
  const auto columns = static_cast<size_t>(codes.shape()[1]);
  const auto data = checkpoint.reader->read("stored", codes.shape()[0], codes.shape()[1]);
  ASSERT_TRUE(data.has_value()) << data.error().message();
  ASSERT_TRUE(std::ranges::equal(data->values.as<int8_t>(), codes.as<int8_t>()));
  EXPECT_EQ(data->scheme.weight.bits, golden.facts["num_bits"].get<int>());
  EXPECT_EQ(data->scheme.weight.group_size, golden.facts["group_size"].get<int>());

  std::vector<float> row(columns);
  std::vector<std::byte> narrowed(columns * dtype_size(dequantized.dtype()));
  const auto groups = static_cast<size_t>(data->groups());
  const std::span<const int8_t> zeros = data->zero_points;
  for (size_t r = 0; r < static_cast<size_t>(data->out); ++r) {
    quant::decode_row(data->values.as<int8_t>().subspan(r * columns, columns),
                      std::span(data->scales).subspan(r * groups, groups),
                      zeros.empty() ? zeros : zeros.subspan(r * groups, groups),
                      data->scheme.weight.group_size, row);
    quant::narrow(row, dequantized.dtype(), narrowed.data());
    ASSERT_EQ(std::memcmp(narrowed.data(), dequantized.data() + r * narrowed.size(), narrowed.size()), 0)
        << "row " << r;
  }
}

/// Our encoder against the library's codes and scales, where the library computed in float32 as we do.
void expect_encodes_as_the_library(const Checkpoint& checkpoint, const Golden& golden) {
  const Tensor weight = *checkpoint.source->read("weight");
  const auto data = checkpoint.reader->read("stored", weight.shape()[0], weight.shape()[1]);
  ASSERT_TRUE(data.has_value()) << data.error().message();
  const auto columns = static_cast<size_t>(data->in);
  const auto groups = static_cast<size_t>(data->groups());
  std::vector<float> row(columns), scales(groups);
  std::vector<int8_t> codes(columns);
  const DType scale_dtype = *parse_dtype(golden.facts["scale_dtype"].get<std::string>());
  for (size_t r = 0; r < static_cast<size_t>(data->out); ++r) {
    quant::widen(weight.dtype(), weight.data() + r * columns * dtype_size(weight.dtype()), row);
    ASSERT_TRUE(quant::encode_row(row, data->scheme.weight.bits, data->scheme.weight.group_size, scale_dtype,
                                  scales, codes));
    ASSERT_TRUE(std::ranges::equal(codes, data->values.as<int8_t>().subspan(r * columns, columns)))
        << "row " << r;
    for (size_t group = 0; group < groups; ++group) {
      const float theirs = data->scales[r * groups + group];
      // An all-zero group has the epsilon of the dtype computed in, F32 here, whatever dtype the scale is
      // stored in.
      const bool zero = theirs == quant::zero_scale(DType::kF32);
      ASSERT_EQ(scales[group], zero ? quant::zero_scale(scale_dtype) : theirs)
          << "row " << r << ", group " << group;
    }
  }
}

TEST(CompressedTensorsGoldens, EqualToTheBit) {
  int read = 0, encoded = 0;
  for (const auto& file : golden_files()) {
    SCOPED_TRACE(file.filename().string());
    const Golden golden = golden_facts(file);
    const bool symmetric = golden.facts["symmetric"].get<bool>();
    const Checkpoint checkpoint(file, golden_config(golden));
    expect_reads_as_the_library(checkpoint, golden);
    ++read;
    if (golden.facts["arithmetic"] != "F32" || !symmetric) continue;
    expect_encodes_as_the_library(checkpoint, golden);
    ++encoded;
  }
  EXPECT_GE(read, 36);
  EXPECT_GE(encoded, 16);
}

TEST(CompressedTensorsGoldens, ModelsTheLibrarySaved) {
  size_t linears = 0;
  for (const char* model : {"qwen3-w8a8", "qwen3-w4a4-g32", "llama-rope3-w4a4-w8a8"}) {
    SCOPED_TRACE(model);
    const std::string directory = std::string(TESSERA_SOURCE_DIR "/tests/golden/quant_models/") + model;
    const auto config = parse_json(*read_text_file(directory + "/config.json", 1 << 20), "config.json");
    const auto source = open_safetensors_dir(directory);
    ASSERT_TRUE(config.has_value() && source.has_value());
    const auto reader = open_weight_reader(*config, directory, **source);
    ASSERT_TRUE(reader.has_value()) << reader.error().message();
    for (const TensorInfo& info : (*source)->tensors()) {
      if (!info.name.ends_with("_proj.weight_scale")) continue;
      const std::string name = info.name.substr(0, info.name.size() - strlen(".weight_scale"));
      const bool eight_bits =
          std::string_view(model) == "qwen3-w8a8" || name.ends_with("o_proj") || name.ends_with("down_proj");
      const auto scheme = (*reader)->scheme(name, ModuleKind::kLinear);
      ASSERT_TRUE(scheme.has_value()) << scheme.error().message();
      const bool grouped = std::string_view(model) == "qwen3-w4a4-g32";
      EXPECT_EQ(scheme->name(), grouped ? "w4a4-g32" : eight_bits ? "w8a8" : "w4a4") << name;
      const int64_t groups = info.shape[1];
      const TensorInfo* weight = (*source)->find(name + ".weight");
      const int64_t in = grouped             ? 32 * groups
                         : weight != nullptr ? weight->shape[1]
                                             : (*source)->find(name + ".weight_packed")->shape[1] * 8;
      const auto data = (*reader)->read(name, info.shape[0], in);
      ASSERT_TRUE(data.has_value()) << data.error().message();
      ++linears;
    }
  }
  EXPECT_EQ(linears, 3U * 2 * 7);
}

}  // namespace
}  // namespace tessera::formats::compressed_tensors
