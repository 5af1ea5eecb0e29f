#include "formats/gguf/gguf_cursor.h"

namespace tessera::formats::gguf {

Status GgufCursor::bytes(std::string_view what, std::span<std::byte> out) {
  if (out.size() > left()) {
    return data_corrupt("{}: ends within {} at byte {} of {}", file(), what, position_, source_.size);
  }
  uint64_t done = 0;
  while (done < out.size()) {
    const uint64_t in_window = position_ - window_start_;
    if (in_window >= window_.size()) {
      window_.resize(std::min(kWindowBytes, left()));
      window_start_ = position_;
      TRY_STATUS(source_.read_at(position_, window_));
      continue;
    }
    const uint64_t n = std::min(out.size() - done, window_.size() - in_window);
    std::memcpy(out.data() + done, window_.data() + in_window, n);
    done += n;
    position_ += n;
  }
  return {};
}

Status GgufCursor::check_room(std::string_view what, uint64_t count, uint64_t min_bytes) const {
  if (count <= left() / min_bytes) return {};
  return data_corrupt("{}: {} says {} elements, but the file has only {} bytes after byte {}", file(), what,
                      count, left(), position_);
}

Result<std::string> GgufCursor::string(std::string_view what, uint64_t max_bytes) {
  const auto length = TRY(number<uint64_t>(what));
  if (length > max_bytes)
    return data_corrupt("{}: {} has {} bytes, expected at most {}", file(), what, length, max_bytes);
  TRY_STATUS(check_room(what, length, 1));
  std::string text(length, '\0');
  TRY_STATUS(bytes(what, std::as_writable_bytes(std::span(text))));
  if (!is_utf8(text)) return data_corrupt("{}: {} at byte {} is not UTF-8", file(), what, position_ - length);
  return text;
}

bool is_utf8(std::string_view text) {
  const auto byte = [text](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  for (size_t i = 0; i < text.size();) {
    const unsigned first = byte(i);
    const size_t length = first < 0x80                    ? 1
                          : first >= 0xc2 && first < 0xe0 ? 2
                          : (first & 0xf0U) == 0xe0       ? 3
                          : first >= 0xf0 && first < 0xf5 ? 4
                                                          : 0;
    if (length == 0) return false;
    for (size_t k = 1; k < length; ++k) {
      if ((byte(i + k) & 0xc0U) != 0x80) return false;
    }
    const unsigned second = byte(i + 1);
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0)) return false;
    if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90)) return false;
    i += length;
  }
  return true;
}

}  // namespace tessera::formats::gguf
