// A model directory made ready to answer: weights behind an Executor, tokenizer, chat template,
// end-of-sequence ids.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/executor.h"
#include "formats/hf/model_files.h"
#include "models/model.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace tessera::engine {

#ifdef TESSERA_TINY
constexpr int32_t kDefaultPageSize = 2;
#else
constexpr int32_t kDefaultPageSize = 64;
#endif

struct OpenOptions {
  models::LoadOptions load;
  int32_t context_length = 0;            // 0: the model's
  int64_t max_total_tokens = 0;          // of the KV cache; 0: by memory, at most 64 full contexts
  double mem_fraction_static = 0.88;     // share of the memory there is for weights and cache
  int32_t page_size = kDefaultPageSize;  // tokens per page of the cache
  std::string chat_template_file;        // empty: the model's own
};

struct OpenedModel {
  std::unique_ptr<Executor> executor;
  std::unique_ptr<text::Tokenizer> tokenizer;
  std::unique_ptr<text::ChatTemplate> chat_template;  // null when the model has none
  std::vector<int32_t> eos_token_ids;
  nlohmann::json config;             // config.json
  nlohmann::json generation_config;  // an object, possibly empty
  models::LoadReport report;
};

/// Of the model's tokenizer.json; kNotFound when it has none.
Result<text::Tokenizer> open_tokenizer(const formats::ModelFiles& files);

/// kNotFound, kUnsupported, kDataCorrupt or kResourceExhausted, naming the thing.
Result<OpenedModel> open_model(const OpenOptions& options);

}  // namespace tessera::engine
