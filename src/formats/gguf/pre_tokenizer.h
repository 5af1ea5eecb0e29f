// How text is cut before byte-pair merges, by the name that GGUF files give it (tokenizer.ggml.pre). A GGUF
// names the rule without spelling it; these are the rules of the Hugging Face tokenizers that the names stand
// for.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "base/result.h"

namespace tessera::formats::gguf {

struct PreTokenizer {
  std::string_view name;
  std::string_view split;      // regular expression; empty: GPT-2's, which ByteLevel brings
  bool single_digits = false;  // each digit is a word
  bool nfc = false;            // text is normalized to NFC first
  bool ignore_merges = false;  // a word that is a token is taken whole
  bool adds_bos = false;       // unless tokenizer.ggml.add_bos_token says otherwise
};

/// kUnsupported naming the pre-tokenizer and the known ones.
Result<const PreTokenizer*> find_pre_tokenizer(std::string_view name);

/// The "pre_tokenizer" of tokenizer.json.
nlohmann::json pre_tokenizer_json(const PreTokenizer& rules);

}  // namespace tessera::formats::gguf
