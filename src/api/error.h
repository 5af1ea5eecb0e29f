// Errors as HTTP speaks them: the one place where an ErrorCode becomes a status, and the two error forms
// (OpenAI's as SGLang sends it, and SGLang's native one). Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace tessera::api {

/// 400 for wrong or unsupported input, 404, 429 (send Retry-After with it), 499, 503, 504, else 500.
int http_status(ErrorCode code);

/// {"object":"error","message":...,"type":"BadRequestError","param":null,"code":400}
std::string openai_error(int status, std::string_view message);
/// {"error":{"message":...}}
std::string native_error(std::string_view message);

/// The same within a stream that has begun: `data: {"error":{...}}` and a blank line.
std::string openai_error_event(const Error& error);
std::string native_error_event(const Error& error);

/// What a request is told about `error`: internal errors keep their detail for the log.
std::string public_message(const Error& error);

}  // namespace tessera::api
