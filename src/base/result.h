// Result<T>: a value or an Error. Input (a file, a request, an option, the environment) gives a Result and
// never aborts; CHECK (base/check.h) is for our own bugs.
//
//   Result<int> parse(std::string_view s) {
//     if (s.empty()) return invalid_argument("value is empty, expected an integer");
//     ...
//   }
//   Status use() {
//     const int n = TRY(parse(text));   // returns the error from this function
//     TRY_STATUS(check(n));
//     return {};
//   }
//
// A dropped Result warns on g++ 12 and clang 19: that is why this is a class and not an alias of
// std::expected.
#pragma once

#include <fmt/format.h>

#include <expected>
#include <source_location>
#include <utility>

#include "base/error.h"

namespace tessera {

template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using std::expected<T, Error>::expected;
  Result(Error error) : std::expected<T, Error>(std::unexpected<Error>(std::move(error))) {}

  /// The error with "context: " before its message, or the value unchanged.
  Result context(std::string_view context) && {
    if (this->has_value()) return std::move(*this);
    return std::move(this->error()).with_context(context);
  }
};

using Status = Result<void>;

namespace detail {
/// A format string that also records where it was written.
template <class... Args>
struct Located {
  fmt::format_string<Args...> text;
  std::source_location where;
  template <class S>
  consteval Located(const S& s, std::source_location w = std::source_location::current())
      : text(s), where(w) {}
};
}  // namespace detail

#define TESSERA_DEFINE_ERROR(function, code)                                                            \
  template <class... Args>                                                                              \
  [[nodiscard]] Error function(detail::Located<std::type_identity_t<Args>...> format, Args&&... args) { \
    return Error(code, fmt::format(format.text, std::forward<Args>(args)...), format.where);            \
  }
TESSERA_DEFINE_ERROR(invalid_argument, ErrorCode::kInvalidArgument)
TESSERA_DEFINE_ERROR(not_found, ErrorCode::kNotFound)
TESSERA_DEFINE_ERROR(unsupported, ErrorCode::kUnsupported)
TESSERA_DEFINE_ERROR(resource_exhausted, ErrorCode::kResourceExhausted)
TESSERA_DEFINE_ERROR(unavailable, ErrorCode::kUnavailable)
TESSERA_DEFINE_ERROR(cancelled, ErrorCode::kCancelled)
TESSERA_DEFINE_ERROR(data_corrupt, ErrorCode::kDataCorrupt)
TESSERA_DEFINE_ERROR(internal_error, ErrorCode::kInternal)
#undef TESSERA_DEFINE_ERROR

}  // namespace tessera

// GNU statement expressions: g++ 12 has std::expected without and_then. Give a TRY a statement of its own:
// when it returns, g++ does not destroy temporaries of the same full expression, e.g. the part of {{"a", 1},
// {"b", TRY(f())}} built so far.
#define TRY(expression)                                                  \
  __extension__({                                                        \
    auto try_result_ = (expression);                                     \
    if (!try_result_.has_value()) return std::move(try_result_).error(); \
    std::move(*try_result_);                                             \
  })

#define TRY_STATUS(expression)                                           \
  do {                                                                   \
    auto try_status_ = (expression);                                     \
    if (!try_status_.has_value()) return std::move(try_status_).error(); \
  } while (false)
