// What the tests of changes to float models share: the changed tensors as a checkpoint, and how far its
// predictions are from others.
#pragma once

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "compress/quantize_test_support.h"
#include "compress/rotate/rotated_reader.h"
#include "formats/compressed_tensors/config.h"
#include "formats/hf/model_dir.h"
#include "formats/safetensors/safetensors_writer.h"

namespace tessera::compress {

/// The tensors of `source` as a float checkpoint in `to`, with the rest of `from` and what is left to do
/// online.
inline void write_float_model(const std::string& from, const formats::TensorSource& source,
                              const OnlineTransforms& online, const std::string& to) {
  auto model = formats::open_model_dir(from);
  std::vector<formats::TensorSpec> specs;
  for (const auto& info : source.tensors())
    specs.push_back({info.name, info.dtype, info.shape});
  auto writer = formats::SafetensorsWriter::create(to, specs);
  ASSERT_TRUE(writer.has_value());
  for (const auto& info : source.tensors()) {
    const auto tensor = source.read(info.name);
    ASSERT_TRUE(tensor.has_value()) << tensor.error().message();
    ASSERT_TRUE(writer->write(info.name, {tensor->data(), tensor->bytes()}).has_value());
  }
  ASSERT_TRUE(writer->commit().has_value());
  formats::compressed_tensors::QuantizationConfig quantization;
  quantization.format = "dense";
  quantization.transforms = online_transforms(online);
  model->config["tie_word_embeddings"] = source.find("lm_head.weight") == nullptr;
  if (!quantization.transforms.empty()) model->config["quantization_config"] = to_json(quantization);
  const auto config = std::filesystem::path(to) / "config.json";
  ASSERT_TRUE(write_text_file(config, model->config.dump()).has_value());
  for (const char* file : {"tokenizer.json", "tokenizer_config.json"}) {
    std::filesystem::copy_file(std::filesystem::path(from) / file, std::filesystem::path(to) / file);
  }
}

/// In float32 but for the cache, if `cache` says so.
inline std::vector<float> float_logits(const std::string& path, const std::string& cache = "auto",
                                       const std::vector<int32_t>& ids = some_ids()) {
  const auto model = models::Model::load({.model_path = path,
                                          .packed = {},
                                          .packed_cache = {},
                                          .dtype = "float32",
                                          .weight_layout = "nz",
                                          .quantization = {},
                                          .kv_cache_dtype = cache,
                                          .threads = 2});
  EXPECT_TRUE(model.has_value()) << (model ? "" : model.error().message());
  return model ? logits_of(**model, ids) : std::vector<float>{};
}

/// The largest difference over the largest number expected.
inline float relative_error(const std::vector<float>& expected, const std::vector<float>& actual) {
  if (actual.size() != expected.size()) return INFINITY;
  float largest = 0, error = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::fabs(expected[i]));
    error = std::max(error, std::fabs(actual[i] - expected[i]));
  }
  return error / largest;
}

/// Mean KL of the softmax of `actual` from that of `expected`, rows of 512 logits.
inline double mean_kl(const std::vector<float>& expected, const std::vector<float>& actual) {
  constexpr size_t kVocab = 512;
  const auto log_softmax = [](const float* logits) {
    std::vector<double> result(logits, logits + kVocab);
    double sum = 0;
    for (const double x : result)
      sum += std::exp(x);
    for (double& x : result)
      x -= std::log(sum);
    return result;
  };
  const size_t rows = expected.size() / kVocab;
  double total = 0;
  for (size_t row = 0; row < rows; ++row) {
    const auto p = log_softmax(expected.data() + row * kVocab), q = log_softmax(actual.data() + row * kVocab);
    for (size_t i = 0; i < kVocab; ++i)
      total += std::exp(p[i]) * (p[i] - q[i]);
  }
  return total / static_cast<double>(rows);
}

}  // namespace tessera::compress
