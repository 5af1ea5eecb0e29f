// A compressed-tensors directory made of tensors, and its reader. For tests only.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "formats/safetensors/safetensors_writer.h"
#include "formats/test_directory.h"
#include "formats/weight_format.h"

namespace tessera::formats::compressed_tensors {

struct StoredTensor {
  TensorSpec spec;
  std::vector<uint8_t> bytes;
};

template <class T>
StoredTensor stored(std::string name, DType dtype, Shape shape, const std::vector<T>& values) {
  StoredTensor tensor{{std::move(name), dtype, shape}, std::vector<uint8_t>(values.size() * sizeof(T))};
  std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  return tensor;
}

/// A directory with these tensors and its reader.
struct Checkpoint {
  TestDirectory directory;
  std::unique_ptr<TensorSource> source;
  std::unique_ptr<WeightReader> reader;

  Checkpoint(const nlohmann::json& quantization_config, const std::vector<StoredTensor>& tensors) {
    std::vector<TensorSpec> specs;
    for (const auto& tensor : tensors)
      specs.push_back(tensor.spec);
    auto writer = SafetensorsWriter::create(directory.path(), specs);
    EXPECT_TRUE(writer.has_value());
    for (const auto& tensor : tensors)
      EXPECT_TRUE(writer->write(tensor.spec.name, std::as_bytes(std::span(tensor.bytes))).has_value());
    EXPECT_TRUE(writer->commit().has_value());
    open(quantization_config);
  }
  explicit Checkpoint(const std::filesystem::path& golden, const nlohmann::json& quantization_config) {
    std::filesystem::copy_file(golden, std::filesystem::path(directory.path()) / "model.safetensors");
    open(quantization_config);
  }

  std::string error_of_read(std::string_view name, int64_t out, int64_t in) const {
    const auto data = reader->read(name, out, in);
    return data.has_value() ? "" : data.error().message();
  }

 private:
  void open(const nlohmann::json& quantization_config) {
    auto opened = open_safetensors_dir(directory.path());
    ASSERT_TRUE(opened.has_value()) << opened.error().message();
    source = *std::move(opened);
    nlohmann::json config = nlohmann::json::object();
    if (!quantization_config.is_null()) config["quantization_config"] = quantization_config;
    config["architectures"] = {"Qwen3ForCausalLM"};
    auto made = open_weight_reader(config, directory.path(), *source);
    ASSERT_TRUE(made.has_value()) << made.error().message();
    reader = *std::move(made);
  }
};

}  // namespace tessera::formats::compressed_tensors
