#include "api/base64.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace tessera::api {

std::string base64(std::span<const std::byte> bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (; !bytes.empty(); bytes = bytes.subspan(std::min<size_t>(3, bytes.size()))) {
    uint32_t three = 0;
    for (size_t at = 0; at < 3; ++at)
      three = three << 8U | (at < bytes.size() ? std::to_integer<uint32_t>(bytes[at]) : 0U);
    for (size_t digit = 0; digit < 4; ++digit)
      text += digit <= bytes.size() ? kDigits[three >> (18 - 6 * digit) & 63U] : '=';
  }
  return text;
}

}  // namespace tessera::api
