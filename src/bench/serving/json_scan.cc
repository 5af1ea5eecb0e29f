#include "bench/serving/json_scan.h"

#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>

namespace tessera::bench::serving {
namespace {

constexpr size_t kBroken = std::string_view::npos;

size_t skip_space(std::string_view text, size_t at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t'))
    ++at;
  return at;
}

/// `at` is behind the opening quote; returns the place behind the closing one. A quote after an odd number of
/// backslashes closes nothing.
size_t skip_string(std::string_view text, size_t at) {
  for (size_t from = at;;) {
    const size_t quote = text.find('"', from);
    if (quote == kBroken) return kBroken;
    size_t backslashes = 0;
    while (quote - backslashes > at && text[quote - backslashes - 1] == '\\')
      ++backslashes;
    if (backslashes % 2 == 0) return quote + 1;
    from = quote + 1;
  }
}

/// Behind the bracket that closes the one at `at`.
size_t skip_container(std::string_view text, size_t at) {
  size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at++];
    if (c == '"') {
      at = skip_string(text, at);
      if (at == kBroken) return kBroken;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if ((c == '}' || c == ']') && --depth == 0) {
      return at;
    }
  }
  return kBroken;
}

/// `at` is at the first character of a value; returns the place behind it.
size_t skip_value(std::string_view text, size_t at) {
  if (at >= text.size()) return kBroken;
  if (text[at] == '"') return skip_string(text, at + 1);
  if (text[at] == '{' || text[at] == '[') return skip_container(text, at);
  const size_t end = std::min(text.find_first_of(",]} \n\r\t", at), text.size());
  return end == at ? kBroken : end;
}

/// Walks `text` from the bracket `open` to `close`; `item` reads one item and returns the place behind it, or
/// kBroken; it sets `go_on` to false to end the walk.
template <class Item>
bool walk(std::string_view text, char open, char close, const Item& item) {
  size_t at = skip_space(text, 0);
  if (at >= text.size() || text[at] != open) return false;
  at = skip_space(text, at + 1);
  if (at < text.size() && text[at] == close) return true;
  for (bool go_on = true;;) {
    at = item(at, go_on);
    if (at == kBroken) return false;
    if (!go_on) return true;
    at = skip_space(text, at);
    if (at >= text.size()) return false;
    if (text[at] == close) return true;
    if (text[at] != ',') return false;
    at = skip_space(text, at + 1);
  }
}

}  // namespace

bool each_member(std::string_view text, const OnMember& on_member) {
  return walk(text, '{', '}', [&](size_t at, bool& go_on) {
    if (at >= text.size() || text[at] != '"') return kBroken;
    const size_t key_end = skip_string(text, at + 1);
    if (key_end == kBroken) return kBroken;
    const size_t colon = skip_space(text, key_end);
    if (colon >= text.size() || text[colon] != ':') return kBroken;
    const size_t value = skip_space(text, colon + 1);
    const size_t end = skip_value(text, value);
    if (end == kBroken) return kBroken;
    go_on = on_member(text.substr(at + 1, key_end - at - 2), text.substr(value, end - value));
    return end;
  });
}

bool each_element(std::string_view text, const OnElement& on_element) {
  return walk(text, '[', ']', [&](size_t at, bool& go_on) {
    const size_t end = skip_value(text, at);
    if (end == kBroken) return kBroken;
    go_on = on_element(text.substr(at, end - at));
    return end;
  });
}

std::string_view member(std::string_view text, std::string_view key) {
  std::string_view found;
  each_member(text, [&](std::string_view name, std::string_view value) {
    if (name == key) found = value;
    return found.empty();
  });
  return found;
}

std::string_view first_element(std::string_view text) {
  std::string_view found;
  each_element(text, [&](std::string_view value) {
    found = value;
    return false;
  });
  return found;
}

std::optional<std::string> string_value(std::string_view value) {
  if (value.empty() || value[0] != '"') return std::nullopt;
  const auto json = nlohmann::json::parse(value, nullptr, false);
  if (!json.is_string()) return std::nullopt;
  return json.get<std::string>();
}

std::optional<int64_t> integer_value(std::string_view value) {
  int64_t number = 0;
  const char* begin = value.data();
  const char* end = begin + value.size();
  const auto [parsed, error] = std::from_chars(begin, end, number);
  if (error != std::errc() || parsed != end) return std::nullopt;
  return number;
}

}  // namespace tessera::bench::serving
