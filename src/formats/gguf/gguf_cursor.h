// GgufCursor: reads a GGUF header front to back through a window of memory; no length from the file is used
// before it is compared with the bytes that are left. Not thread-safe.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf/gguf_file.h"

namespace tessera::formats::gguf {

class GgufCursor {
 public:
  explicit GgufCursor(const ByteSource& source) : source_(source) {}

  uint64_t position() const { return position_; }
  uint64_t left() const { return source_.size - position_; }
  const std::string& file() const { return source_.name; }

  /// A little-endian number; `what` names it in the message.
  template <class T>
    requires std::integral<T> || std::floating_point<T>
  Result<T> number(std::string_view what) {
    T value{};
    TRY_STATUS(bytes(what, std::as_writable_bytes(std::span(&value, 1))));
    return value;
  }

  /// A string of UTF-8 (checked), at most `max_bytes` long.
  Result<std::string> string(std::string_view what, uint64_t max_bytes);

  /// A length that the file must have room for: `count` things of at least `min_bytes` each.
  Status check_room(std::string_view what, uint64_t count, uint64_t min_bytes) const;

 private:
  Status bytes(std::string_view what, std::span<std::byte> out);

  static constexpr uint64_t kWindowBytes = 1 << 20;
  const ByteSource& source_;
  uint64_t position_ = 0;
  std::vector<std::byte> window_;
  uint64_t window_start_ = 0;
};

/// True when `text` is well-formed UTF-8 (no overlong forms, surrogates or values beyond U+10FFFF).
bool is_utf8(std::string_view text);

}  // namespace tessera::formats::gguf
