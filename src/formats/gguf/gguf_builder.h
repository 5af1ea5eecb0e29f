// GgufBuilder: GGUF files in memory, well-formed or lying. For tests and fuzzing only.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf/gguf_file.h"

namespace tessera::formats::gguf {

class GgufBuilder {
 public:
  template <class T>
  static std::string raw(T value) {
    std::string bytes(sizeof(T), '\0');
    std::memcpy(bytes.data(), &value, sizeof(T));
    return bytes;
  }
  static std::string text(std::string_view value) { return raw<uint64_t>(value.size()) + std::string(value); }

  /// A key with a value already encoded.
  GgufBuilder& key(std::string_view name, uint32_t type, const std::string& encoded) {
    keys_ += text(name) + raw(type) + encoded;
    ++key_count;
    return *this;
  }
  GgufBuilder& u32(std::string_view name, uint32_t value) { return key(name, 4, raw(value)); }
  GgufBuilder& f32(std::string_view name, float value) { return key(name, 6, raw(value)); }
  GgufBuilder& boolean(std::string_view name, bool value) {
    return key(name, 7, raw<uint8_t>(value ? 1 : 0));
  }
  GgufBuilder& string(std::string_view name, std::string_view value) { return key(name, 8, text(value)); }
  GgufBuilder& strings(std::string_view name, const std::vector<std::string>& values) {
    std::string encoded = raw<uint32_t>(8) + raw<uint64_t>(values.size());
    for (const auto& value : values)
      encoded += text(value);
    return key(name, 9, encoded);
  }
  GgufBuilder& ints(std::string_view name, const std::vector<int32_t>& values) {
    std::string encoded = raw<uint32_t>(5) + raw<uint64_t>(values.size());
    for (const int32_t value : values)
      encoded += raw(value);
    return key(name, 9, encoded);
  }

  /// `dims` as in the file: row length first.
  GgufBuilder& tensor_at(std::string_view name, const std::vector<uint64_t>& dims, uint32_t type,
                         uint64_t offset) {
    tensors_ += text(name) + raw<uint32_t>(static_cast<uint32_t>(dims.size()));
    for (const uint64_t dim : dims)
      tensors_ += raw(dim);
    tensors_ += raw(type) + raw(offset);
    ++tensor_count;
    return *this;
  }
  /// A float32 tensor with its data.
  GgufBuilder& tensor(std::string_view name, const std::vector<uint64_t>& dims,
                      const std::vector<float>& values) {
    tensor_at(name, dims, 0, data_.size());
    for (const float value : values)
      data_ += raw(value);
    data_.append((32 - data_.size() % 32) % 32, '\0');
    return *this;
  }
  /// A float32 tensor of ones.
  GgufBuilder& ones(std::string_view name, const std::vector<uint64_t>& dims) {
    uint64_t count = 1;
    for (const uint64_t dim : dims)
      count *= dim;
    return tensor(name, dims, std::vector<float>(count, 1.0F));
  }

  std::string bytes() const {
    std::string file = magic + raw(version) + raw(tensor_count) + raw(key_count) + keys_ + tensors_;
    file.append((32 - file.size() % 32) % 32, '\0');
    return file + data_;
  }

  std::string magic = "GGUF";
  uint32_t version = 3;
  uint64_t tensor_count = 0, key_count = 0;

 private:
  std::string keys_, tensors_, data_;
};

/// Bytes in memory as a source; `bytes` outlives it.
inline ByteSource memory_source(std::string_view bytes) {
  return {"memory.gguf", bytes.size(), [bytes](uint64_t offset, std::span<std::byte> out) -> Status {
            if (offset > bytes.size() || out.size() > bytes.size() - offset)
              return data_corrupt("read past the end");
            std::memcpy(out.data(), bytes.data() + offset, out.size());
            return {};
          }};
}

}  // namespace tessera::formats::gguf
