// GgufFile: metadata and tensor table of a GGUF file (version 2 or 3, little endian), every length checked
// against the file before it is believed; tensor data are read on demand. Thread-safe after opening.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "formats/gguf/ggml_type.h"

namespace tessera::formats::gguf {

inline constexpr uint64_t kMaxTensors = 100'000;
inline constexpr uint64_t kMaxKeys = 65'536;
inline constexpr uint64_t kMaxKeyBytes = 1024;
inline constexpr uint64_t kMaxStringBytes = 16 << 20;      // a chat template, a token
inline constexpr uint64_t kMaxArrayElements = 16'000'000;  // vocabularies have up to 300,000 tokens
inline constexpr uint64_t kMaxNameBytes = 256;             // ggml itself stops at 64
inline constexpr uint64_t kMaxAlignment = 1 << 20;
inline constexpr uint32_t kMaxRank = 4;

/// A metadata value: every integer type is int64_t (or uint64_t beyond it), every float type double.
using Value = std::variant<bool, int64_t, uint64_t, double, std::string, std::vector<int64_t>,
                           std::vector<double>, std::vector<std::string>>;

struct GgufTensor {
  std::string name;
  const GgmlType* type = nullptr;
  std::vector<int64_t>
      shape;            // outermost first, unlike the file, which has the row length first; 1 to 4, all > 0
  uint64_t offset = 0;  // from the start of the file
  uint64_t bytes = 0;

  int64_t cols() const { return shape.back(); }
  int64_t rows() const;  // product of all but the last
  uint64_t row_bytes() const { return bytes / static_cast<uint64_t>(rows()); }
};

/// Where bytes come from: a file, or memory in a fuzzer.
struct ByteSource {
  std::string name;
  uint64_t size = 0;
  std::function<Status(uint64_t offset, std::span<std::byte> out)> read_at;
};

class GgufFile {
 public:
  static Result<GgufFile> open(const std::filesystem::path& path);
  static Result<GgufFile> parse(ByteSource source);

  const std::string& name() const { return source_.name; }
  std::span<const GgufTensor> tensors() const { return tensors_; }
  /// nullptr when absent.
  const GgufTensor* find_tensor(std::string_view name) const;
  const Value* find(std::string_view key) const;

  /// Typed metadata: kNotFound when the key is absent, kDataCorrupt when its type is another or the value is
  /// out of range.
  Result<int64_t> integer(std::string_view key, int64_t min, int64_t max) const;
  Result<double> number(std::string_view key) const;
  Result<bool> boolean(std::string_view key) const;
  Result<std::string> string(std::string_view key) const;
  Result<const std::vector<std::string>*> strings(std::string_view key) const;
  Result<const std::vector<int64_t>*> integers(std::string_view key) const;
  bool has(std::string_view key) const { return find(key) != nullptr; }

  /// Rows [first, first + count) as float32; out.size() is count * cols(). `scratch` is reused from call to
  /// call.
  Status read_rows(const GgufTensor& tensor, int64_t first, int64_t count, std::vector<std::byte>& scratch,
                   std::span<float> out) const;

 private:
  template <class T>
  Result<const T*> typed(std::string_view key, std::string_view expected) const;

  ByteSource source_;
  std::unordered_map<std::string, Value> metadata_;
  std::vector<GgufTensor> tensors_;
  std::unordered_map<std::string, size_t> by_name_;
};

}  // namespace tessera::formats::gguf
