#include "api/error.h"

#include "api/json.h"

namespace tessera::api {
namespace {

std::string_view type_name(int status) {
  switch (status) {
    case 401:
      return "AuthenticationError";
    case 404:
      return "NotFoundError";
    case 429:
      return "RateLimitError";
    case 500:
      return "InternalServerError";
    case 503:
      return "ServiceUnavailableError";
    default:
      return status < 500 ? "BadRequestError" : "InternalServerError";
  }
}

Json openai_object(int status, std::string_view message) {
  return {{"object", "error"},
          {"message", message},
          {"type", type_name(status)},
          {"param", nullptr},
          {"code", status}};
}

Json native_object(std::string_view message) {
  return {{"error", {{"message", message}}}};
}

}  // namespace

int http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kUnsupported:
      return 400;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kResourceExhausted:
      return 429;
    case ErrorCode::kUnavailable:
      return 503;
    case ErrorCode::kCancelled:
      return 499;
    case ErrorCode::kDeadlineExceeded:
      return 504;
    case ErrorCode::kDataCorrupt:
    case ErrorCode::kInternal:
      return 500;
  }
  return 500;
}

std::string openai_error(int status, std::string_view message) {
  return dump(openai_object(status, message));
}
std::string native_error(std::string_view message) {
  return dump(native_object(message));
}

std::string openai_error_event(const Error& error) {
  return event({{"error", openai_object(http_status(error.code()), public_message(error))}});
}
std::string native_error_event(const Error& error) {
  return event(native_object(public_message(error)));
}

std::string public_message(const Error& error) {
  if (http_status(error.code()) == 500) return "internal error, see the server's log";
  return error.message();
}

}  // namespace tessera::api
