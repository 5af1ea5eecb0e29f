// What every format's checkpoints are refused for when a model is opened: all misfits in one error, each with
// its tensor, and no tensor that nobody reads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "formats/hf/model_dir.h"
#include "formats/safetensors/safetensors_writer.h"
#include "formats/tensor_source.h"
#include "formats/test_directory.h"
#include "models/model.h"

namespace tessera::models {
namespace {

using testing::HasSubstr;

namespace fs = std::filesystem;

/// A copy of tests/golden/DIRECTORY with one more tensor of zeros, F16 [2, 2].
struct Copy {
  formats::TestDirectory directory;

  Copy(const std::string& original, const std::string& extra) {
    const fs::path from = std::string(TESSERA_SOURCE_DIR "/tests/golden/") + original;
    std::string stem;
    for (const auto& entry : fs::directory_iterator(from)) {
      const fs::path file = entry.path().filename();
      if (file.extension() != ".safetensors") {
        fs::copy_file(entry.path(), fs::path(directory.path()) / file);
      } else if (file != "golden.safetensors") {
        stem = file.stem();
      }
    }
    const auto source = *formats::open_safetensors_dir(from);
    std::vector<formats::TensorSpec> specs{{extra, DType::kF16, {2, 2}}};
    for (const formats::TensorInfo& info : source->tensors())
      specs.push_back({info.name, info.dtype, info.shape});
    auto writer = *formats::SafetensorsWriter::create(directory.path(), specs,
                                                      formats::SafetensorsWriter::kDefaultShardBytes, stem);
    EXPECT_TRUE(writer.write(extra, std::vector<std::byte>(8)).has_value());
    for (const formats::TensorInfo& info : source->tensors()) {
      const Tensor tensor = *source->read(info.name);
      EXPECT_TRUE(writer.write(info.name, {tensor.data(), tensor.bytes()}).has_value());
    }
    EXPECT_TRUE(writer.commit().has_value());
  }

  void change_config(const std::string& key, const nlohmann::json& value) const {
    auto config = formats::open_model_dir(directory.path())->config;
    config[key] = value;
    directory.write("config.json", config.dump());
  }

  std::string error() const {
    LoadOptions options;
    options.model_path = directory.path();
    options.threads = 1;
    const auto model = Model::load(options);
    return model.has_value() ? "" : model.error().message();
  }
};

class Refusals : public testing::TestWithParam<const char*> {};

TEST_P(Refusals, ListEverythingAtOnce) {
  const Copy copy(GetParam(), "model.layers.1.self_attn.q_proj.surprise");
  copy.change_config("intermediate_size", 192);
  const std::string error = copy.error();
  for (const char* part :
       {"layers.0.mlp.gate_proj: ", "layers.0.mlp.up_proj: ", "layers.1.mlp.down_proj: ", "192",
        "model.layers.1.self_attn.q_proj.surprise: in the checkpoint, but nothing reads it"})
    EXPECT_THAT(error, HasSubstr(part));
}

INSTANTIATE_TEST_SUITE_P(Formats, Refusals,
                         testing::Values("models/qwen3", "quant_models/qwen3-w8a8",
                                         "quant_models/qwen3-w4a4-g32", "modelslim/qwen3-w4a4-w8a8",
                                         "packed_models/qwen3-gptq", "packed_models/llama-rope3-awq"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::ranges::replace_if(name, [](char c) { return c == '/' || c == '-'; }, '_');
                           return name;
                         });

/// A float twin of quantized weights: which of the two is meant?
TEST(RefusalsOfTwins, AFloatWeightBesidePackedOnes) {
  for (const char* directory :
       {"quant_models/qwen3-w4a4-g32", "packed_models/qwen3-gptq", "packed_models/llama-rope3-awq"}) {
    SCOPED_TRACE(directory);
    EXPECT_THAT(Copy(directory, "model.layers.0.self_attn.q_proj.weight").error(),
                HasSubstr("model.layers.0.self_attn.q_proj.weight: in the checkpoint, but nothing reads it"));
  }
}

/// Of models that share their names' beginnings.
TEST(RefusalsOfTwins, AnExpertThatDoesNotExist) {
  EXPECT_THAT(
      Copy("modelslim/qwen3-moe-split", "model.layers.0.mlp.experts.99.up_proj.weight").error(),
      HasSubstr("model.layers.0.mlp.experts.99.up_proj.weight: in the checkpoint, but nothing reads it"));
}

}  // namespace
}  // namespace tessera::models
