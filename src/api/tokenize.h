// /tokenize and /detokenize, as SGLang has them. Pure; for a worker thread.
#pragma once

#include <string>
#include <string_view>

#include "api/model_card.h"

namespace tessera::api {

/// {"prompt": text or list, "add_special_tokens": true} -> {"tokens", "count", "max_model_len"}
Result<std::string> tokenize(std::string_view body, const ModelCard& card);

/// {"tokens": ids or list of ids, "skip_special_tokens": true} -> {"text"}
Result<std::string> detokenize(std::string_view body, const ModelCard& card);

}  // namespace tessera::api
