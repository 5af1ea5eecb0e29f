// Tensors made by a test and a directory that holds them. For tests only.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "formats/safetensors/safetensors_writer.h"
#include "formats/test_directory.h"

namespace tessera::formats {

struct TestTensor {
  TensorSpec spec;
  std::vector<uint8_t> bytes;
};

template <class T>
TestTensor test_tensor(std::string name, DType dtype, Shape shape, const std::vector<T>& values) {
  TestTensor tensor{{std::move(name), dtype, shape}, std::vector<uint8_t>(values.size() * sizeof(T))};
  std::memcpy(tensor.bytes.data(), values.data(), tensor.bytes.size());
  return tensor;
}

/// DIRECTORY/model.safetensors.
inline void write_tensors(const TestDirectory& directory, std::span<const TestTensor> tensors) {
  std::vector<TensorSpec> specs;
  for (const auto& tensor : tensors)
    specs.push_back(tensor.spec);
  auto writer = SafetensorsWriter::create(directory.path(), specs);
  ASSERT_TRUE(writer.has_value()) << writer.error().message();
  for (const auto& tensor : tensors)
    ASSERT_TRUE(writer->write(tensor.spec.name, std::as_bytes(std::span(tensor.bytes))).has_value());
  ASSERT_TRUE(writer->commit().has_value());
}

}  // namespace tessera::formats
