// What the API knows of the served model: names, limits, and how to turn text into tokens. Read-only while
// serving.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/json.h"
#include "engine/pooling.h"
#include "formats/hf/model_dir.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace tessera::api {

/// Defaults of generation_config.json; a field that is absent there is absent here and SGLang's own default
/// holds.
struct SamplingDefaults {
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<int32_t> top_k;
  std::optional<double> min_p;
  std::optional<double> repetition_penalty;
};

/// Reads the defaults; values that no request could send are kInvalidArgument. Hugging Face's top_k 0 means
/// "all".
Result<SamplingDefaults> parse_sampling_defaults(const Json& generation_config);

struct ModelCard {
  std::string id;          // the name clients use
  std::string path;        // the directory
  std::string model_type;  // of config.json, may be empty
  std::vector<std::string> architectures;
  int64_t created = 0;        // Unix seconds
  int32_t max_model_len = 0;  // tokens: prompt and answer of one request
  int32_t vocab_size = 0;
  int32_t hidden_size = 0;                           // of an embedding
  engine::Pooling pooling = engine::Pooling::kLast;  // of embeddings that ask for none
  SamplingDefaults defaults;
  Limits limits;
  const text::Tokenizer* tokenizer = nullptr;         // never null while serving
  const text::ChatTemplate* chat_template = nullptr;  // null: chat requests are refused
};

/// A card for the directory, served as `id`. Tokenizer and template are the caller's to set.
/// kInvalidArgument for values in the directory's JSON that cannot be.
Result<ModelCard> make_model_card(const formats::ModelDir& directory, std::string id, int32_t max_model_len,
                                  int32_t vocab_size);

/// GET /v1/models, GET /v1/models/{id} (kNotFound), GET /get_model_info.
std::string models_list(const ModelCard& card);
Result<std::string> model_entry(const ModelCard& card, std::string_view id);
std::string model_info(const ModelCard& card);

/// Whether a request may call the model so: its id, its path, or "default".
bool names_model(const ModelCard& card, std::string_view name);

}  // namespace tessera::api
