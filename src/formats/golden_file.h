// Opens a safetensors file that is no model: what tests compare with. For tests only.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/check.h"
#include "formats/tensor_source.h"
#include "formats/test_directory.h"

namespace tessera::formats {

inline std::unique_ptr<TensorSource> open_golden(const std::string& file) {
  // Directories are what is opened: one in which the file is the model, and which may go once it is open.
  const TestDirectory directory;
  std::filesystem::copy_file(file, directory.path() + "/model.safetensors");
  auto source = open_safetensors_dir(directory.path());
  CHECK(source.has_value(), "{}: {}", file, source.error().message());
  return std::move(*source);
}

}  // namespace tessera::formats
