// A GGUF's tokenizer as Hugging Face writes it: tokenizer.json (byte-level BPE) and tokenizer_config.json.
// Pure functions.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/result.h"
#include "formats/gguf/gguf_file.h"

namespace tessera::formats::gguf {

struct ImportedTokenizer {
  nlohmann::json tokenizer;         // tokenizer.json
  nlohmann::json tokenizer_config;  // tokenizer_config.json, with the chat template
  std::optional<int64_t> bos_id, pad_id;
  std::vector<int64_t> eos_ids;  // that end an answer: eos, end of turn, end of message; the eos first
};

/// kUnsupported for another model than byte-level BPE or for an unknown pre-tokenizer, naming it.
/// `vocab_rows` is the height of the embedding: no token id may reach it.
Result<ImportedTokenizer> import_tokenizer(const GgufFile& file, int64_t vocab_rows);

}  // namespace tessera::formats::gguf
