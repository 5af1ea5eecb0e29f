// quoted_text(): text that comes from outside, made fit for a line of a message.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace tessera {

/// In double quotes; quotes, backslashes and control characters are escaped. Not fmt's {:?}: that of version
/// 9 reads past the end of text whose last characters are escaped (found by fuzzing).
inline std::string quoted_text(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += {'\\', c};
    } else if (byte < 0x20 || byte == 0x7f) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  return result + '"';
}

}  // namespace tessera
