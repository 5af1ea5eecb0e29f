// A whole safetensors file in memory: an accepted header describes exactly the bytes of the file.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "formats/safetensors/header.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tessera::formats;
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  const auto length = parse_header_length(file.substr(0, 8), file.size(), "fuzz");
  if (!length.has_value()) return 0;
  const auto header = parse_header(file.substr(8, *length), file.size(), "fuzz");
  if (!header.has_value()) return 0;
  uint64_t end = 8 + *length;
  for (const TensorInfo& info : header->tensors) {
    CHECK(info.offset == end, "{} begins at {}, expected {}", info.name, info.offset, end);
    CHECK(info.bytes == static_cast<uint64_t>(info.shape.numel()) * dtype_size(info.dtype), "{}", info.name);
    end += info.bytes;
  }
  CHECK(end == file.size(), "ends at {} of {}", end, file.size());
  return 0;
}
