#include "base/error.h"

#include <utility>

namespace tessera {

std::string_view error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "invalid_argument";
    case ErrorCode::kNotFound:
      return "not_found";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kResourceExhausted:
      return "resource_exhausted";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kDeadlineExceeded:
      return "deadline_exceeded";
    case ErrorCode::kDataCorrupt:
      return "data_corrupt";
    case ErrorCode::kInternal:
      return "internal";
  }
  return "unknown";
}

Error::Error(ErrorCode code, std::string message, std::source_location where)
    : payload_(new Payload{code, std::move(message), where}) {}

Error::Error(const Error& other) : payload_(new Payload(*other.payload_)) {}

Error& Error::operator=(const Error& other) {
  if (this != &other) payload_ = std::make_unique<Payload>(*other.payload_);
  return *this;
}

Error Error::with_context(std::string_view context) && {
  payload_->message = std::string(context) + ": " + payload_->message;
  return std::move(*this);
}

}  // namespace tessera
