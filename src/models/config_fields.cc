#include "models/config_fields.h"

#include <cmath>

namespace tessera::models {
namespace {

/// A JSON value for an error message, cut short.
std::string shown(const nlohmann::json& value) {
  std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

Error wrong(std::string_view name, const nlohmann::json& value, std::string_view expected) {
  return invalid_argument("{}={}, expected {}", name, shown(value), expected);
}

}  // namespace

const nlohmann::json* ConfigFields::find(std::string_view name) const {
  const auto found = json_->find(name);
  return found == json_->end() || found->is_null() ? nullptr : &*found;
}

Result<int32_t> ConfigFields::integer(std::string_view name, int64_t low, int64_t high) const {
  if (find(name) == nullptr) return invalid_argument("{} is missing, expected {} to {}", name, low, high);
  return integer(name, low, low, high);
}

Result<int32_t> ConfigFields::integer(std::string_view name, int64_t fallback, int64_t low,
                                      int64_t high) const {
  const nlohmann::json* value = find(name);
  if (value == nullptr) return static_cast<int32_t>(fallback);
  const std::string expected = fmt::format("an integer from {} to {}", low, high);
  if (!value->is_number_integer()) return wrong(name, *value, expected);
  if (value->is_number_unsigned() && value->get<uint64_t>() > INT64_MAX) return wrong(name, *value, expected);
  const auto number = value->get<int64_t>();
  if (number < low || number > high) return wrong(name, *value, expected);
  return static_cast<int32_t>(number);
}

Result<double> ConfigFields::number(std::string_view name, double fallback) const {
  const nlohmann::json* value = find(name);
  if (value == nullptr) return fallback;
  if (!value->is_number() || !std::isfinite(value->get<double>())) return wrong(name, *value, "a number");
  return value->get<double>();
}

Result<bool> ConfigFields::boolean(std::string_view name, bool fallback) const {
  const nlohmann::json* value = find(name);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) return wrong(name, *value, "true or false");
  return value->get<bool>();
}

Result<std::string> ConfigFields::text(std::string_view name, std::string_view fallback) const {
  const nlohmann::json* value = find(name);
  if (value == nullptr) return std::string(fallback);
  if (!value->is_string()) return wrong(name, *value, "a string");
  return value->get<std::string>();
}

Result<std::vector<int64_t>> ConfigFields::integers(std::string_view name) const {
  std::vector<int64_t> numbers;
  const nlohmann::json* value = find(name);
  if (value == nullptr) return numbers;
  if (!value->is_array()) return wrong(name, *value, "a list of integers");
  for (const auto& item : *value) {
    if (!item.is_number_integer()) return wrong(name, *value, "a list of integers");
    numbers.push_back(item.get<int64_t>());
  }
  return numbers;
}

Result<std::vector<std::string>> ConfigFields::texts(std::string_view name) const {
  std::vector<std::string> texts;
  const nlohmann::json* value = find(name);
  if (value == nullptr) return texts;
  if (!value->is_array()) return wrong(name, *value, "a list of strings");
  for (const auto& item : *value) {
    if (!item.is_string()) return wrong(name, *value, "a list of strings");
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

Result<std::optional<ConfigFields>> ConfigFields::object(std::string_view name) const {
  const nlohmann::json* value = find(name);
  if (value == nullptr) return std::optional<ConfigFields>();
  if (!value->is_object()) return wrong(name, *value, "an object");
  return std::optional<ConfigFields>(ConfigFields(*value));
}

}  // namespace tessera::models
