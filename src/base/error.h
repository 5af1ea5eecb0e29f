// The one error type of the project: a code for machines, a message for people, and the line where it arose.
// Messages name the thing, the value and the expectation, e.g.
//   config.json: num_key_value_heads=3 does not divide num_attention_heads=32
#pragma once

#include <memory>
#include <source_location>
#include <string>
#include <string_view>

namespace tessera {

enum class ErrorCode {
  kInvalidArgument,    // the caller's input is wrong
  kNotFound,           // a file, a tensor, a model is absent
  kUnsupported,        // well-formed, but not something we run
  kResourceExhausted,  // a limit or memory
  kUnavailable,        // not now: loading, draining
  kCancelled,
  kDeadlineExceeded,
  kDataCorrupt,  // bytes contradict themselves
  kInternal,     // our bug
};

/// Name of a code as it appears in logs, e.g. "invalid_argument".
std::string_view error_code_name(ErrorCode code);

/// One pointer wide, so that Result<int> is 16 bytes. Never empty except after a move.
class Error {
 public:
  Error(ErrorCode code, std::string message, std::source_location where = std::source_location::current());
  Error(const Error& other);
  Error& operator=(const Error& other);
  Error(Error&&) noexcept = default;
  Error& operator=(Error&&) noexcept = default;
  ~Error() = default;

  ErrorCode code() const { return payload_->code; }
  const std::string& message() const { return payload_->message; }
  const std::source_location& where() const { return payload_->where; }

  /// The same error with `context` and ": " put before its message; used when an error crosses a layer.
  Error with_context(std::string_view context) &&;

 private:
  struct Payload {
    ErrorCode code;
    std::string message;
    std::source_location where;
  };
  std::unique_ptr<Payload> payload_;
};

}  // namespace tessera
