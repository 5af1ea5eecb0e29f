#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/file.h"
#include "compress/quantize_test_support.h"
#include "compress/rotate/rotated_reader.h"
#include "formats/compressed_tensors/config.h"
#include "formats/hf/model_dir.h"
#include "formats/safetensors/safetensors_writer.h"
#include "models/architecture.h"

namespace tessera::compress {
namespace {

using formats::TestDirectory;
using testing::HasSubstr;

TEST(Rotation, IsOrthogonalInEverySizeOfModels) {
  std::vector<double> scratch;
  for (const int64_t size : {1, 2, 64, 128, 576, 1536, 2560}) {
    const auto rotation = Rotation::random(size, 7);
    ASSERT_TRUE(rotation.has_value()) << size;
    // Rows of Q, a few of them: of length 1, and at right angles.
    std::vector<std::vector<double>> rows;
    for (const int64_t index : {int64_t{0}, size / 3, size - 1}) {
      std::vector<double>& row = rows.emplace_back(static_cast<size_t>(size));
      row[static_cast<size_t>(index)] = 1;
      rotation->apply(row, scratch);
    }
    const auto product = [](const std::vector<double>& a, const std::vector<double>& b) {
      return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
    };
    for (const auto& row : rows)
      EXPECT_NEAR(product(row, row), 1, 1e-12) << size;
    if (size >= 64) {
      EXPECT_NEAR(product(rows[0], rows[1]), 0, 1e-12) << size;
      EXPECT_NEAR(product(rows[1], rows[2]), 0, 1e-12) << size;
    }
  }
}

TEST(Rotation, BlocksAreApartSignsAreSeeded) {
  std::vector<double> scratch, x(128, 1), y(128, 1), z(128, 1);
  x[0] = y[0] = z[0] = 5;
  Rotation::random(64, 1)->apply(x, scratch);
  Rotation::random(64, 1)->apply(y, scratch);
  Rotation::random(64, 2)->apply(z, scratch);
  EXPECT_EQ(x, y);
  EXPECT_NE(x, z);
  std::vector<double> plain(64, 1);
  Rotation::plain(64)->apply(plain, scratch);
  EXPECT_DOUBLE_EQ(plain[0], 8);  // Sylvester's first column is all 1
  EXPECT_DOUBLE_EQ(plain[1], 0);
  const auto unknown = Rotation::plain(7);
  ASSERT_FALSE(unknown.has_value());
  EXPECT_THAT(unknown.error().message(), HasSubstr("7 values"));
}

/// The rotated tensors as a checkpoint of float32 weights.
void write_rotated(const std::string& from, const RotateOptions& options, const std::string& to) {
  auto model = formats::open_model_dir(from);
  const auto files = formats::open_safetensors_dir(from);
  const auto config = models::parse_model_config(model->config);
  const auto rotated = RotatedSource::make(**files, *config, options);
  ASSERT_TRUE(rotated.has_value()) << rotated.error().message();
  std::vector<formats::TensorSpec> specs;
  for (const auto& info : (*rotated)->tensors())
    specs.push_back({info.name, info.dtype, info.shape});
  auto writer = formats::SafetensorsWriter::create(to, specs);
  ASSERT_TRUE(writer.has_value());
  for (const auto& info : (*rotated)->tensors()) {
    const auto tensor = (*rotated)->read(info.name);
    ASSERT_TRUE(tensor.has_value());
    ASSERT_TRUE(writer->write(info.name, {tensor->data(), tensor->bytes()}).has_value());
  }
  ASSERT_TRUE(writer->commit().has_value());
  formats::compressed_tensors::QuantizationConfig quantization;
  quantization.format = "dense";
  quantization.transforms = online_transforms(**rotated);
  model->config["tie_word_embeddings"] = false;
  if (!quantization.transforms.empty()) model->config["quantization_config"] = to_json(quantization);
  ASSERT_TRUE(write_text_file(std::filesystem::path(to) / "config.json", model->config.dump()).has_value());
}

std::vector<float> float_logits(const std::string& path) {
  const auto model = models::Model::load({.model_path = path,
                                          .packed = {},
                                          .packed_cache = {},
                                          .dtype = "float32",
                                          .weight_layout = "nz",
                                          .quantization = {},
                                          .threads = 2});
  EXPECT_TRUE(model.has_value()) << (model ? "" : model.error().message());
  return model ? logits_of(**model) : std::vector<float>{};
}

TEST(RotatedSource, LeavesTheModelsFunctionAsItWas) {
  for (const std::string name : {"qwen3", "qwen3-moe", "llama", "qwen2"}) {
    const std::vector<float> expected = float_logits(tiny_model(name));
    float largest = 0;
    for (const float logit : expected)
      largest = std::max(largest, std::fabs(logit));
    for (const bool online : {false, true}) {
      const TestDirectory directory;
      write_rotated(tiny_model(name), {.seed = 3, .online = online}, directory.path());
      const std::vector<float> actual = float_logits(directory.path());
      ASSERT_EQ(actual.size(), expected.size());
      float error = 0;
      for (size_t i = 0; i < expected.size(); ++i)
        error = std::max(error, std::fabs(actual[i] - expected[i]));
      EXPECT_LE(error, 1e-4F * largest) << name << (online ? ", online" : "");
    }
  }
}

TEST(RotatedSource, RefusesWhatItDoesNotKnow) {
  const auto files = formats::open_safetensors_dir(tiny_model("qwen3"));
  auto config = *models::parse_model_config(formats::open_model_dir(tiny_model("qwen3"))->config);
  config.hidden = 7;
  EXPECT_FALSE(RotatedSource::make(**files, config, {}).has_value());
  config.hidden = 2 * static_cast<int32_t>((*files)->find("model.norm.weight")->shape.numel());
  const auto wide = RotatedSource::make(**files, config, {});
  ASSERT_FALSE(wide.has_value());
  EXPECT_THAT(wide.error().message(), HasSubstr("does not fit"));
}

}  // namespace
}  // namespace tessera::compress
