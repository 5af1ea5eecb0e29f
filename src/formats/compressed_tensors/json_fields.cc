#include "formats/compressed_tensors/json_fields.h"

#include <algorithm>
#include <limits>

namespace tessera::formats::compressed_tensors {
namespace {

constexpr size_t kMaxShownValue = 80;
constexpr size_t kMaxListLength = 1'000'000;  // ignore lists name every router: thousands in real files

std::string shown(const nlohmann::json& value) {
  std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  if (text.size() > kMaxShownValue) text = text.substr(0, kMaxShownValue) + "...";
  return text;
}

}  // namespace

Status Fields::check_object() const {
  if (!object_.is_object()) return invalid_argument("{}={}, expected an object", where_, shown(object_));
  return {};
}

Status Fields::only(std::span<const std::string_view> keys) const {
  TRY_STATUS(check_object());
  for (const auto& [key, value] : object_.items()) {
    if (std::ranges::find(keys, key) == keys.end()) {
      return invalid_argument("{}: key \"{}\" is unknown, expected only {}", where_, key,
                              fmt::join(keys, ", "));
    }
  }
  return {};
}

const nlohmann::json* Fields::find(std::string_view key) const {
  const auto found = object_.find(key);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

Result<int> Fields::integer(std::string_view key, int fallback) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_number_integer()) return wrong(key, "an integer");
  const auto number = value->get<int64_t>();
  if (number < std::numeric_limits<int>::min() || number > std::numeric_limits<int>::max()) {
    return wrong(key, "an integer of 32 bits");
  }
  return static_cast<int>(number);
}

Result<bool> Fields::boolean(std::string_view key, bool fallback) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) return wrong(key, "true or false");
  return value->get<bool>();
}

Result<std::string> Fields::text(std::string_view key, std::string fallback) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return fallback;
  if (!value->is_string()) return wrong(key, "a string");
  return value->get<std::string>();
}

Result<std::vector<std::string>> Fields::texts(std::string_view key) const {
  const nlohmann::json* value = find(key);
  if (value == nullptr) return std::vector<std::string>();
  return text_list(*value, path(key));
}

Result<std::vector<std::string>> Fields::text_list(const nlohmann::json& value, const std::string& where) {
  if (!value.is_array() || value.size() > kMaxListLength) {
    return invalid_argument("{}={}, expected a list of strings", where, shown(value));
  }
  std::vector<std::string> list;
  for (const auto& item : value) {
    if (!item.is_string()) return invalid_argument("{}: {} in a list of strings", where, shown(item));
    list.push_back(item.get<std::string>());
  }
  return list;
}

Error Fields::wrong(std::string_view key, std::string_view expectation) const {
  const nlohmann::json* value = find(key);
  return invalid_argument("{}={}, expected {}", path(key), value == nullptr ? "null" : shown(*value),
                          expectation);
}

}  // namespace tessera::formats::compressed_tensors
