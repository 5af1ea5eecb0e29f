// The text that perplexity and divergence are measured on: its options, and the text as token ids.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "models/model.h"

namespace tessera::cli {

struct EvalText {
  std::string file;
  int32_t context = 1024;
  int32_t stride = 0;  // 0: as context

  int32_t stride_or_context() const { return stride == 0 ? context : stride; }
};

/// --text, --context, --stride; values land in `text`, which outlives the parse.
void add_text_options(CLI::App& command, EvalText& text);

/// The whole file as ids of the model's tokenizer, without special tokens.
Result<std::vector<int32_t>> read_text_ids(const EvalText& text, const models::LoadOptions& model);

}  // namespace tessera::cli
