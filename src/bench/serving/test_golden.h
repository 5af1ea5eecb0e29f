// What SGLang's own benchmark sampled and numpy counted, and the tokenizer that it was done with
// (tools/golden/make_bench_serving.py). For tests only.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/check.h"
#include "base/file.h"
#include "text/tokenizer.h"

namespace tessera::bench::serving {

inline const std::string kModelDir = TESSERA_SOURCE_DIR "/tests/golden/models/llama";

inline nlohmann::json golden() {
  const auto text = read_text_file(TESSERA_SOURCE_DIR "/tests/golden/bench_serving.json", 1 << 20);
  CHECK(text.has_value(), "{}", text.error().message());
  return nlohmann::json::parse(*text);
}

inline text::Tokenizer golden_tokenizer() {
  auto tokenizer = text::Tokenizer::load(kModelDir);
  CHECK(tokenizer.has_value(), "{}", tokenizer.error().message());
  return std::move(*tokenizer);
}

}  // namespace tessera::bench::serving
