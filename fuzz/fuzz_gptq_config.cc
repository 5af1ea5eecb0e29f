// A quantize_config.json or quantization_config of GPTQ or AutoAWQ of any origin: it ends in a layout whose
// numbers the readers can divide by, or in an error.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/check.h"
#include "formats/awq/format.h"
#include "formats/gptq/config.h"
#include "formats/json_limits.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tessera::formats;
  const auto value = parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!value.has_value() || !value->is_object()) return 0;
  const auto inside = value->find("quantization_config");
  const gptq::Description description{
      .fields = inside != value->end() && inside->is_object() ? *inside : *value, .where = "fuzz"};
  for (const auto& layout : {gptq::parse_config(description), awq::parse_config(description)}) {
    if (!layout.has_value()) continue;
    CHECK(layout->bits >= 2 && layout->bits <= 8, "{} bits", layout->bits);
    CHECK(layout->group_size >= 0, "groups of {}", layout->group_size);
  }
  return 0;
}
