// CHECK(condition, format, ...): our own bug if false; prints the condition, the values and the place, then
// aborts. Always on. DCHECK is for hot code: on in the dev, relassert, tsan and tiny presets. Never on input.
#pragma once

#include <fmt/format.h>

#include <string>

namespace tessera::detail {
[[noreturn]] void check_failed(const char* condition, const char* file, int line, const std::string& message);
inline std::string check_message() {
  return {};
}
template <class... Args>
std::string check_message(fmt::format_string<Args...> format, Args&&... args) {
  return fmt::format(format, std::forward<Args>(args)...);
}
}  // namespace tessera::detail

#define CHECK(condition, ...)                                                         \
  do {                                                                                \
    if (!(condition)) [[unlikely]]                                                    \
      ::tessera::detail::check_failed(#condition, __FILE__, __LINE__,                 \
                                      ::tessera::detail::check_message(__VA_ARGS__)); \
  } while (false)

#ifdef TESSERA_DCHECK
#define DCHECK(...) CHECK(__VA_ARGS__)
#else
#define DCHECK(condition, ...) \
  do {                         \
    (void)sizeof(condition);   \
  } while (false)
#endif
