#include "compress/quantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "compress/quantize_test_support.h"
#include "formats/hf/model_dir.h"
#include "formats/safetensors/safetensors_writer.h"
#include "formats/weight_format.h"
#include "quant/integer_codes.h"

namespace tessera::compress {
namespace {

namespace fs = std::filesystem;
using formats::ModuleKind;
using formats::TensorInfo;
using formats::TestDirectory;
using testing::HasSubstr;

const std::string kModels = TESSERA_SOURCE_DIR "/tests/golden/models/";

/// A directory opened as the model loader opens it.
struct Opened {
  formats::ModelDir model;
  std::unique_ptr<formats::TensorSource> source;
  std::unique_ptr<formats::WeightReader> reader;

  explicit Opened(const std::string& path)
      : model(*formats::open_model_dir(path)),
        source(*formats::open_safetensors_dir(path)),
        reader(*formats::open_weight_reader(model.config, path, *source)) {}
};

bool is_quantizable(const TensorInfo& info) {
  static const std::set<std::string> kLeaves = {"q_proj",    "k_proj",  "v_proj",   "o_proj",
                                                "gate_proj", "up_proj", "down_proj"};
  if (info.shape.rank() != 2 || !info.name.ends_with(".weight")) return false;
  const std::string module = info.name.substr(0, info.name.size() - 7);
  return kLeaves.contains(module.substr(module.rfind('.') + 1));
}

/// Every element is within a step of the source: half by rounding, half by clamping the positive extreme, and
/// what the rounding of the scale to BF16 (8 bits) adds to the latter.
void expect_close(const formats::TensorSource& source, const TensorInfo& info,
                  const quant::LinearData& data) {
  const Tensor weight = *source.read(info.name);
  const auto columns = static_cast<size_t>(data.in);
  const auto groups = static_cast<size_t>(data.groups());
  std::vector<float> original(columns), decoded(columns);
  const float steps = 1.0F + static_cast<float>(quant::code_max(data.scheme.weight.bits)) / 256.0F;
  double error = 0, norm = 0;
  for (size_t row = 0; row < static_cast<size_t>(data.out); ++row) {
    quant::widen(weight.dtype(), weight.data() + row * columns * dtype_size(weight.dtype()), original);
    const auto scales = std::span(data.scales).subspan(row * groups, groups);
    quant::decode_row(data.values.as<int8_t>().subspan(row * columns, columns), scales, {},
                      data.scheme.weight.group_size, decoded);
    for (size_t k = 0; k < columns; ++k) {
      ASSERT_LE(std::fabs(decoded[k] - original[k]), steps * scales[k / (columns / groups)])
          << info.name << " " << row << "," << k;
      error += std::pow(decoded[k] - original[k], 2);
      norm += std::pow(original[k], 2);
    }
  }
  // A step is absmax/7.5 or /127.5 and these weights are Gaussian: uniform error is about 0.11 or 0.0065 of
  // the norm.
  EXPECT_LT(std::sqrt(error / norm), data.scheme.weight.bits == 4 ? 0.2 : 0.012) << info.name;
}

void expect_reads_back(const std::string& model, const std::string& output,
                       const std::map<std::string, std::string>& scheme_of_leaf) {
  const Opened before(kModels + model);
  const Opened after(output);
  size_t linears = 0;
  for (const TensorInfo& info : before.source->tensors()) {
    if (!is_quantizable(info)) {
      const TensorInfo* copy = after.source->find(info.name);
      ASSERT_NE(copy, nullptr) << info.name;
      const Tensor a = *before.source->read(info.name), b = *after.source->read(info.name);
      ASSERT_TRUE(std::ranges::equal(std::span(a.data(), a.bytes()), std::span(b.data(), b.bytes())))
          << info.name;
      continue;
    }
    const std::string name = info.name.substr(0, info.name.size() - 7);
    const auto data = after.reader->read(name, info.shape[0], info.shape[1]);
    ASSERT_TRUE(data.has_value()) << data.error().message();
    const std::string leaf = name.substr(name.rfind('.') + 1);
    const auto expected = scheme_of_leaf.contains(leaf) ? scheme_of_leaf.at(leaf) : scheme_of_leaf.at("");
    EXPECT_EQ(data->scheme.name(), expected) << name;
    EXPECT_EQ(data->bias.empty(), before.source->find(name + ".bias") == nullptr) << name;
    expect_close(*before.source, info, *data);
    ++linears;
  }
  EXPECT_GT(linears, 0U);
}

const std::string kAllModels[] = {"llama", "llama-rope3", "llama-sharded",   "qwen2",
                                  "qwen3", "qwen3-moe",   "qwen3-moe-nonorm"};

TEST(Quantize, EverySchemePerChannelOnEveryModel) {
  const std::map<std::string, std::map<std::string, std::string>> schemes = {
      {"w8a8", {{"", "w8a8"}}},   {"w4a8", {{"", "w4a8"}}},
      {"w4a4", {{"", "w4a4"}}},   {"w8a16", {{"", "w8a16"}}},
      {"w4a16", {{"", "w4a16"}}}, {"w4a4-w8a8", {{"", "w4a4"}, {"o_proj", "w8a8"}, {"down_proj", "w8a8"}}}};
  for (const std::string& model : kAllModels) {
    for (const auto& [scheme, expected] : schemes) {
      SCOPED_TRACE(model + " " + scheme);
      const TestDirectory output;
      auto options = options_for(model, output, scheme);
      options.group_size = 0;
      const auto summary = quantize_directory(options);
      ASSERT_TRUE(summary.has_value()) << summary.error().message();
      expect_reads_back(model, output.path(), expected);
    }
  }
}

TEST(Quantize, GroupsByDefaultAndByOption) {
  struct Case {
    const char *model, *scheme;
    GroupSizeOption option;
    const char* expected;
  };
  // qwen3: widths 96, 128, 192, so that 32 is the largest that divides all.
  const Case cases[] = {{"qwen3", "w4a16", {}, "w4a16-g32"}, {"qwen3", "w4a8", {}, "w4a8-g32"},
                        {"qwen3", "w8a16", {}, "w8a16-g32"}, {"qwen3", "w4a4", {}, "w4a4"},
                        {"qwen3", "w8a8", {}, "w8a8"},       {"qwen3", "w4a4", 32, "w4a4-g32"}};
  for (const Case& item : cases) {
    SCOPED_TRACE(item.expected);
    const TestDirectory output;
    auto options = options_for(item.model, output, item.scheme);
    options.group_size = item.option;
    const auto summary = quantize_directory(options);
    ASSERT_TRUE(summary.has_value()) << summary.error().message();
    expect_reads_back(item.model, output.path(), {{"", item.expected}});
  }
}

TEST(Quantize, BothStoragesHoldTheSameNumbers) {
  for (const char* scheme : {"w4a4", "w8a8", "w4a8"}) {
    const TestDirectory packed, plain;
    auto options = options_for("qwen3", packed, scheme);
    options.storage = Storage::kPacked;
    ASSERT_EQ(error_of(options), "");
    options.output = plain.path();
    options.storage = Storage::kInteger;
    ASSERT_EQ(error_of(options), "");
    const Opened a(packed.path()), b(plain.path());
    const std::string name = "model.layers.0.mlp.down_proj";
    const auto from_packed = *a.reader->read(name, 96, 128), from_plain = *b.reader->read(name, 96, 128);
    EXPECT_NE(a.source->find(name + ".weight_packed"), nullptr);
    EXPECT_NE(b.source->find(name + ".weight"), nullptr);
    EXPECT_TRUE(std::ranges::equal(from_packed.values.as<int8_t>(), from_plain.values.as<int8_t>()));
    EXPECT_EQ(from_packed.scales, from_plain.scales);
    EXPECT_EQ(from_packed.scheme, from_plain.scheme);
  }
}

std::map<std::string, std::string> contents(const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    files[entry.path().filename().string()] = *read_text_file(entry.path(), 1 << 24);
  }
  return files;
}

TEST(Quantize, SameInputSameBytesWithAnyNumberOfThreads) {
  const TestDirectory one, two;
  auto options = options_for("qwen3-moe", one, "w4a4-w8a8");
  options.threads = 1;
  ASSERT_EQ(error_of(options), "");
  options.output = two.path();
  options.threads = 4;
  ASSERT_EQ(error_of(options), "");
  EXPECT_EQ(contents(one.path()), contents(two.path()));
}

TEST(Quantize, ConfigSaysWhatWasDone) {
  const TestDirectory output;
  ASSERT_EQ(error_of(options_for("qwen3-moe", output, "w4a4-w8a8")), "");
  const auto config = formats::open_model_dir(output.path())->config["quantization_config"];
  EXPECT_EQ(config["quant_method"], "compressed-tensors");
  EXPECT_EQ(config["format"], "mixed-precision");
  EXPECT_EQ(config["quantization_status"], "compressed");
  EXPECT_EQ(config["config_groups"]["group_0"]["format"], "pack-quantized");
  EXPECT_EQ(config["config_groups"]["group_1"]["format"], "int-quantized");
  // Layers 1 and 3 have experts (decoder_sparse_step 2): their routers stay in float.
  const std::vector<std::string> ignore = config["ignore"];
  EXPECT_THAT(ignore, testing::Contains("lm_head"));
  EXPECT_THAT(ignore, testing::Contains(testing::EndsWith(".mlp.gate")));
  EXPECT_THAT(ignore, testing::Each(testing::Not(HasSubstr("_proj"))));
}

TEST(Quantize, SideFilesComeAlong) {
  const TestDirectory output;
  ASSERT_EQ(error_of(options_for("llama-sharded", output, "w4a4")), "");
  EXPECT_EQ(output.files(),
            (std::vector<std::string>{"config.json", "generation_config.json", "golden_greedy.json",
                                      "model.safetensors", "tokenizer.json", "tokenizer_config.json"}));
}

TEST(Quantize, FourBitWeightsAreAboutHalfOfEightBitOnes) {
  const TestDirectory four, eight;
  const auto w4a4 = quantize_directory(options_for("qwen3", four, "w4a4"));
  const auto w8a8 = quantize_directory(options_for("qwen3", eight, "w8a8"));
  // Tiny widths: the scales (2 bytes a row of 96 to 192) and shapes (16 bytes a linear) weigh more than in a
  // real model.
  EXPECT_LT(static_cast<double>(w4a4->linear_bytes), 0.53 * static_cast<double>(w8a8->linear_bytes));
  EXPECT_EQ(w8a8->linears, w4a4->linears);
}

TEST(Quantize, IgnoredLinearsStayFloat) {
  const TestDirectory output;
  auto options = options_for("llama", output, "w8a8");
  options.ignore = {".*layers\\.0\\..*", ".*down_proj$"};
  ASSERT_EQ(error_of(options), "");
  const Opened after(output.path());
  EXPECT_EQ(after.reader->scheme("model.layers.0.self_attn.q_proj", ModuleKind::kLinear)->name(), "bf16");
  EXPECT_EQ(after.reader->scheme("model.layers.1.mlp.down_proj", ModuleKind::kLinear)->name(), "bf16");
  EXPECT_EQ(after.reader->scheme("model.layers.1.self_attn.q_proj", ModuleKind::kLinear)->name(), "w8a8");
  const std::vector<std::string> ignore = after.model.config["quantization_config"]["ignore"];
  EXPECT_THAT(ignore, testing::Contains("model.layers.1.mlp.down_proj"));
}

TEST(Quantize, ClippingIsOfFourBitActivations) {
  const TestDirectory output;
  auto options = options_for("llama", output, "w4a4-w8a8");
  options.activation_clip = 0.75F;
  ASSERT_EQ(error_of(options), "");
  const Opened after(output.path());
  const auto clip_ratio = [&](const std::string& leaf) {
    return after.reader->scheme("model.layers.0." + leaf, ModuleKind::kLinear)->activation.clip_ratio;
  };
  EXPECT_EQ(clip_ratio("self_attn.q_proj"), 0.75F);
  EXPECT_EQ(clip_ratio("mlp.down_proj"), 1.0F);
}

TEST(Quantize, Refusals) {
  const TestDirectory output;
  const auto refused = [&](const char* model, const char* scheme,
                           const std::function<void(QuantizeOptions&)>& change) {
    auto options = options_for(model, output, scheme);
    change(options);
    return error_of(options);
  };
  const auto nothing = [](QuantizeOptions&) {};
  EXPECT_THAT(refused("llama", "w2a2", nothing), HasSubstr("--scheme=w2a2, expected one of w8a8, w4a8"));
  // 172 and 64 columns: no group size divides 172; all widths that fail are listed.
  EXPECT_THAT(refused("llama", "w4a16", nothing),
              HasSubstr("does not divide the inputs of down_proj (172 columns)"));
  EXPECT_THAT(refused("qwen3-moe", "w4a4", [](auto& o) { o.group_size = 64; }),
              HasSubstr("down_proj (40 columns), down_proj (112 columns), o_proj (80 columns)"));
  EXPECT_THAT(refused("llama", "w8a8", [](auto& o) { o.group_size = 32; }),
              HasSubstr("--group-size=32 with --scheme=w8a8, expected channel"));
  EXPECT_THAT(refused("llama", "w8a8", [](auto& o) { o.activation_clip = 0.8F; }),
              HasSubstr("--activation-clip=0.8 with --scheme=w8a8"));
  EXPECT_THAT(refused("qwen3", "w4a16", [](auto& o) { o.storage = Storage::kInteger; }),
              HasSubstr("--storage=int"));
  EXPECT_THAT(refused("llama", "w8a8", [](auto& o) { o.ignore = {"("}; }),
              HasSubstr("--ignore: regex \"(\""));
  EXPECT_THAT(refused("llama", "w8a8", [](auto& o) { o.ignore = {".*q_proj"}; }),
              HasSubstr("expected q/k/v and gate/up kept together"));
  EXPECT_THAT(refused("llama", "w8a8", [](auto& o) { o.ignore = {".*"}; }),
              HasSubstr("no linear is left to quantize"));
  EXPECT_THAT(refused("no-such-model", "w8a8", nothing), HasSubstr("no-such-model"));
  EXPECT_THAT(refused("llama", "w8a8", [](auto& o) { o.output = o.model_path; }),
              HasSubstr("is the model itself"));
  EXPECT_TRUE(output.files().empty()) << "a refusal must leave nothing behind";
}

TEST(Quantize, OutputDirectories) {
  const TestDirectory output;
  auto options = options_for("llama-sharded", output, "w8a8");
  ASSERT_EQ(error_of(options), "");
  EXPECT_THAT(error_of(options), HasSubstr("is not empty, expected an empty directory or --force"));
  options.force = true;
  options.scheme = "w4a4";
  EXPECT_EQ(error_of(options), "");
  EXPECT_EQ(Opened(output.path()).reader->scheme("model.layers.0.mlp.up_proj", ModuleKind::kLinear)->name(),
            "w4a4");
  const TestDirectory second;
  options.model_path = output.path();
  options.output = second.path();
  EXPECT_THAT(error_of(options), HasSubstr("quantization_config is present, expected a float model"));
  output.write("file", "x");
  options = options_for("llama", output, "w8a8");
  options.output = output.path() + "/file";
  EXPECT_THAT(error_of(options), HasSubstr("not a directory"));
}

TEST(Quantize, NonFiniteWeightsAreNamed) {
  const TestDirectory input, output;
  const std::string name = "model.layers.0.mlp.down_proj.weight";
  const std::vector<formats::TensorSpec> specs = {{name, DType::kF32, Shape{3, 2}}};
  auto writer = formats::SafetensorsWriter::create(input.path(), specs);
  const std::vector<float> values = {1, 2, 3, NAN, INFINITY, 6};
  ASSERT_TRUE(writer->write(name, std::as_bytes(std::span(values))).has_value());
  ASSERT_TRUE(writer->commit().has_value());
  input.write("config.json", "{}");
  auto options = options_for("", output, "w8a8");
  options.model_path = input.path();
  EXPECT_EQ(error_of(options), name + ": row 1 has a NaN or an infinity, expected finite weights");
  EXPECT_FALSE(fs::exists(fs::path(output.path()) / "config.json"));
  EXPECT_FALSE(fs::exists(fs::path(output.path()) / "model.safetensors"));
}

}  // namespace
}  // namespace tessera::compress
