// A tokenizer_config.json of any origin ends in its facts or an error.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "text/tokenizer_config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using tessera::text::TokenizerConfig;
  const auto config = TokenizerConfig::from_json({reinterpret_cast<const char*>(data), size});
  if (!config.has_value()) return 0;
  for (const auto& [role, token] : config->special_tokens())
    CHECK(!role.empty() && token.size() <= size, "{}", role);
  return 0;
}
