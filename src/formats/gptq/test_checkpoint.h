// A directory whose description and tensors a test gives, and its reader: GPTQ and AutoAWQ. For tests only.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "formats/test_checkpoint.h"
#include "formats/weight_format.h"

namespace tessera::formats::gptq {

struct TestCheckpoint {
  TestDirectory directory;
  std::unique_ptr<TensorSource> source;
  std::unique_ptr<WeightReader> reader;
  std::string error;  // of opening the reader

  /// `description` is written to `file`, or stands in config.json when that is empty.
  TestCheckpoint(const nlohmann::json& description, const std::vector<TestTensor>& tensors,
                 const std::string& file = "") {
    write_tensors(directory, tensors);
    nlohmann::json config = nlohmann::json::object();
    if (file.empty()) {
      config["quantization_config"] = description;
    } else {
      directory.write(file, description.dump());
    }
    source = *open_safetensors_dir(directory.path());
    auto made = open_weight_reader(config, directory.path(), *source);
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
};

/// The tensor called `name` replaced.
inline std::vector<TestTensor> with(std::vector<TestTensor> tensors, TestTensor replacement) {
  for (TestTensor& tensor : tensors) {
    if (tensor.spec.name == replacement.spec.name) tensor = std::move(replacement);
  }
  return tensors;
}

/// The tensor called `name` left out.
inline std::vector<TestTensor> without(std::vector<TestTensor> tensors, std::string_view name) {
  std::erase_if(tensors, [&](const TestTensor& tensor) { return tensor.spec.name == name; });
  return tensors;
}

}  // namespace tessera::formats::gptq
