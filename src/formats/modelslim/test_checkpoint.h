// A ModelSlim directory made of tensors and a description, and its reader. For tests only.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "formats/safetensors/safetensors_writer.h"
#include "formats/test_directory.h"
#include "formats/weight_format.h"

namespace tessera::formats::modelslim {

struct StoredTensor {
  TensorSpec spec;
  std::vector<uint8_t> bytes;
  std::string type;  // in the description; empty: not described
};

template <class T>
StoredTensor stored(std::string name, DType dtype, Shape shape, const std::vector<T>& values,
                    std::string type) {
  StoredTensor tensor{
      {std::move(name), dtype, shape}, std::vector<uint8_t>(values.size() * sizeof(T)), std::move(type)};
  std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  return tensor;
}

struct Checkpoint {
  TestDirectory directory;
  std::unique_ptr<TensorSource> source;
  std::unique_ptr<WeightReader> reader;
  std::string error;  // of opening the reader

  /// `more` is merged into the description.
  explicit Checkpoint(const std::vector<StoredTensor>& tensors,
                      const nlohmann::json& more = nlohmann::json::object()) {
    std::vector<TensorSpec> specs;
    nlohmann::json description = more;
    for (const auto& tensor : tensors) {
      specs.push_back(tensor.spec);
      if (!tensor.type.empty()) description[tensor.spec.name] = tensor.type;
    }
    auto writer = SafetensorsWriter::create(directory.path(), specs);
    EXPECT_TRUE(writer.has_value());
    for (const auto& tensor : tensors)
      EXPECT_TRUE(writer->write(tensor.spec.name, std::as_bytes(std::span(tensor.bytes))).has_value());
    EXPECT_TRUE(writer->commit().has_value());
    std::filesystem::rename(directory.path() + "/model.safetensors",
                            directory.path() + "/quant_model_weights.safetensors");
    directory.write("quant_model_description.json", description.dump());
    open();
  }

  void open() {
    reader.reset();
    error.clear();
    auto opened = open_safetensors_dir(directory.path());
    ASSERT_TRUE(opened.has_value()) << opened.error().message();
    source = *std::move(opened);
    auto made = open_weight_reader(nlohmann::json::object(), directory.path(), *source);
    if (made.has_value()) {
      reader = *std::move(made);
    } else {
      error = made.error().message();
    }
  }

  std::string error_of_read(std::string_view name, int64_t out, int64_t in) const {
    if (reader == nullptr) return error;
    const auto data = reader->read(name, out, in);
    return data.has_value() ? "" : data.error().message();
  }
  std::string error_of_check(std::string_view name, int64_t out, int64_t in) const {
    if (reader == nullptr) return error;
    const auto status = reader->check(name, out, in);
    return status.has_value() ? "" : status.error().message();
  }
};

}  // namespace tessera::formats::modelslim
