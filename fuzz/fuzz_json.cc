// JSON of any origin: what parse_json() accepts, dump_json() writes, and it parses again to the same value.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "formats/json_limits.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto value = tessera::formats::parse_json(text, "fuzz");
  if (!value.has_value()) return 0;
  const auto written = tessera::formats::dump_json(*value, "fuzz", -1);
  CHECK(written.has_value(), "accepted, but cannot be written");
  const auto again = tessera::formats::parse_json(*written, "fuzz");
  CHECK(again.has_value() && *again == *value, "{}", *written);
  return 0;
}
