// A tokenizer.json of any origin: loading ends in a tokenizer or an error, and so does all that a tokenizer
// does with a few texts and ids, within the limits of rust/textkit.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using tessera::text::Tokenizer;
  static const std::array<std::string, 3> texts = {
      "hello <|end|>  \n\n\n 12345 it's \xC3\xA9\xF0\x9F\x98\x80",
      std::string(200, 'a') + std::string(200, ' ') + "b", ""};
  const auto tokenizer = Tokenizer::from_json({reinterpret_cast<const char*>(data), size});
  if (!tokenizer.has_value()) return 0;
  for (const std::string& text : texts) {
    const auto ids = tokenizer->encode(text, true);
    if (ids.has_value()) (void)tokenizer->decode(*ids, false);
  }
  static constexpr std::array<int32_t, 8> kIds = {0, 1, 2, 255, 256, 260, 100'000, INT32_MAX};
  (void)tokenizer->decode(kIds, true);
  for (const int32_t id : kIds) {
    (void)tokenizer->is_special(id);
    const auto token = tokenizer->id_to_token(id);
    CHECK(!token || token->size() <= 8192, "a token of {} bytes", token->size());
  }
  return 0;
}
