#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "compress/float_model_test_support.h"
#include "compress/rotate/rotated_source.h"
#include "compress/smooth/scaled_source.h"
#include "formats/hf/model_dir.h"
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

void write_rotated(const std::string& from, const RotateOptions& options, const std::string& to) {
  const auto files = formats::open_safetensors_dir(from);
  const auto config = models::parse_model_config(formats::open_model_dir(from)->config);
  const auto rotated = RotatedSource::make(**files, *config, options);
  ASSERT_TRUE(rotated.has_value()) << rotated.error().message();
  write_float_model(from, **rotated, {.down_block = (*rotated)->down_block()}, to);
}

TEST(RotatedSource, LeavesTheModelsFunctionAsItWas) {
  for (const std::string name : {"qwen3", "qwen3-moe", "llama", "qwen2"}) {
    const std::vector<float> expected = float_logits(tiny_model(name));
    for (const bool online : {false, true}) {
      const TestDirectory directory;
      write_rotated(tiny_model(name), {.seed = 3, .online = online}, directory.path());
      EXPECT_LE(relative_error(expected, float_logits(directory.path())), 1e-4F)
          << name << (online ? ", online" : "");
    }
  }
}

/// A model of the same function whose keys have two channels 32 times as large, one pair of the rotary
/// embedding.
void write_with_outlier_keys(const std::string& name, const OnlineTransforms& online, const std::string& to) {
  const auto files = formats::open_safetensors_dir(tiny_model(name));
  const auto config = models::parse_model_config(formats::open_model_dir(tiny_model(name))->config);
  const auto scale_heads = [&](const std::string& linear, int32_t heads, float factor) {
    ScaledFold scaled{.fold = {.from = linear, .into = {}, .channels = int64_t{heads} * config->head_dim},
                      .scales = {}};
    for (int64_t channel = 0; channel < scaled.fold.channels; ++channel)
      scaled.scales.push_back(channel % (config->head_dim / 2) == 3 ? 1 / factor : 1);
    return scaled;
  };
  std::vector<ScaledFold> folds;
  for (int32_t layer = 0; layer < config->layers; ++layer) {
    const std::string attention = fmt::format("model.layers.{}.self_attn.", layer);
    folds.push_back(scale_heads(attention + "k_proj", config->kv_heads, 32));
    folds.push_back(scale_heads(attention + "q_proj", config->heads, 1.F / 32));
  }
  write_float_model(tiny_model(name), **ScaledSource::make(**files, std::move(folds)), online, to);
}

TEST(OnlineTransforms, EvenOutKeysForAnInt8Cache) {
  for (const std::string name : {"llama", "qwen2"}) {
    const TestDirectory plain, rotated;
    write_with_outlier_keys(name, {}, plain.path());
    write_with_outlier_keys(name, {.head_block = 8}, rotated.path());
    const std::vector<float> expected = float_logits(tiny_model(name));
    EXPECT_LE(relative_error(expected, float_logits(plain.path())), 1e-4F) << name;
    EXPECT_LE(relative_error(expected, float_logits(rotated.path())), 1e-4F) << name;
    EXPECT_LT(mean_kl(expected, float_logits(rotated.path(), "int8")),
              mean_kl(expected, float_logits(plain.path(), "int8")) / 4)
        << name;
  }
}

TEST(OnlineTransforms, AreWrittenWithTheCachesScheme) {
  const TestDirectory output;
  QuantizeOptions options = options_for("llama", output, "w8a8");
  options.int8_cache = true;
  options.rotate = RotateOptions{.seed = 1, .online = true};
  ASSERT_EQ(error_of(options), "");
  const auto config = formats::open_model_dir(output.path())->config["quantization_config"];
  EXPECT_EQ(config["kv_cache_scheme"]["num_bits"], 8);
  EXPECT_EQ(config["kv_cache_scheme"]["dynamic"], true);
  EXPECT_EQ(config["transform_config"]["config_groups"]["R3"]["apply"][0]["location"], "q_attn");
  EXPECT_EQ(config["transform_config"]["config_groups"]["R3"]["apply"][1]["location"], "k_cache");
  const auto model = load(output.path());
  ASSERT_TRUE(model.has_value()) << model.error().message();
  // A code and a scale per head and token, not two or four bytes for every value.
  const auto& shape = (*model)->config();
  const size_t values = size_t{2} * static_cast<size_t>(shape.layers) * static_cast<size_t>(shape.kv_heads) *
                        static_cast<size_t>(shape.head_dim);
  EXPECT_LT((*model)->page_bytes(64), 64 * values * 2);
  options.format = "modelslim";
  options.rotate.reset();
  EXPECT_THAT(error_of(options), HasSubstr("--kv-cache=int8 with --format=modelslim"));
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
