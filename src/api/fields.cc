#include "api/fields.h"

#include <cmath>

#include "base/check.h"

namespace tessera::api {
namespace {

// The integer a JSON number stands for, if it stands for one that fits.
std::optional<int64_t> as_integer(const Json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<uint64_t>();
    if (number > static_cast<uint64_t>(INT64_MAX)) return std::nullopt;
    return static_cast<int64_t>(number);
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_number_float()) return std::nullopt;
  const double number = value.get<double>();
  // 2^53: beyond it a double no longer tells integers apart.
  if (!(std::abs(number) <= 9007199254740992.0) || number != std::floor(number)) return std::nullopt;
  return static_cast<int64_t>(number);
}

thread_local FieldNames* active_names = nullptr;

}  // namespace

FieldNames::FieldNames() {
  CHECK(active_names == nullptr, "another one lives on this thread");
  active_names = this;
}
FieldNames::~FieldNames() {
  active_names = nullptr;
}

std::string shown(const Json& value) {
  if (value.is_array()) return fmt::format("a list of {}", value.size());
  if (value.is_object()) return "an object";
  // Cutting bytes may split a character: the dump of the whole error message replaces such halves.
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > 64) text = text.substr(0, 61) + "...";
  return text;
}

const Json* Fields::find(std::string_view name) const {
  if (active_names != nullptr) active_names->seen_.insert(prefix_ + std::string(name));
  const auto at = object_.find(name);
  return at == object_.end() || at->is_null() ? nullptr : &*at;
}

Error Fields::wrong(std::string_view name, std::string_view expectation) const {
  const Json* value = find(name);
  return invalid_argument("{}{} is {}, expected {}", prefix_, name, value ? shown(*value) : "null",
                          expectation);
}

Result<std::optional<double>> Fields::number(std::string_view name) const {
  const Json* value = find(name);
  if (!value) return std::optional<double>();
  if (!value->is_number() || !std::isfinite(value->get<double>())) return wrong(name, "a number");
  return std::optional(value->get<double>());
}

Result<std::optional<int64_t>> Fields::integer(std::string_view name, int64_t low, int64_t high) const {
  const Json* value = find(name);
  if (!value) return std::optional<int64_t>();
  const auto number = as_integer(*value);
  if (!number || *number < low || *number > high) {
    return wrong(name, fmt::format("an integer from {} to {}", low, high));
  }
  return number;
}

Result<bool> Fields::boolean(std::string_view name, bool fallback) const {
  const Json* value = find(name);
  if (!value) return fallback;
  if (!value->is_boolean()) return wrong(name, "true or false");
  return value->get<bool>();
}

Result<std::optional<std::string>> Fields::string(std::string_view name) const {
  const Json* value = find(name);
  if (!value) return std::optional<std::string>();
  if (!value->is_string()) return wrong(name, "a string");
  return std::optional(value->get<std::string>());
}

Result<std::vector<std::string>> Fields::strings(std::string_view name) const {
  const Json* value = find(name);
  std::vector<std::string> out;
  if (!value) return out;
  if (value->is_string()) return std::vector{value->get<std::string>()};
  if (!value->is_array()) return wrong(name, "a string or a list of strings");
  for (const Json& item : *value) {
    if (!item.is_string()) return wrong(name, fmt::format("strings only, not {}", shown(item)));
    out.push_back(item.get<std::string>());
  }
  return out;
}

Result<std::vector<int32_t>> Fields::ids(std::string_view name, int32_t low, int32_t high) const {
  const Json* value = find(name);
  if (!value) return std::vector<int32_t>();
  return parse_ids(*value, prefix_ + std::string(name), low, high);
}

Result<Json> Fields::object(std::string_view name) const {
  const Json* value = find(name);
  if (!value) return Json::object();
  if (!value->is_object()) return wrong(name, "an object");
  return *value;
}

Result<std::vector<int32_t>> parse_ids(const Json& value, std::string_view name, int32_t low, int32_t high) {
  const auto one = [&](const Json& item) -> Result<int32_t> {
    const auto id = as_integer(item);
    if (!id || *id < low || *id > high) {
      return invalid_argument("{}: {} is not a token id, expected an integer from {} to {}", name,
                              shown(item), low, high);
    }
    return static_cast<int32_t>(*id);
  };
  std::vector<int32_t> ids;
  if (!value.is_array()) {
    ids.push_back(TRY(one(value)));
    return ids;
  }
  ids.reserve(value.size());
  for (const Json& item : value)
    ids.push_back(TRY(one(item)));
  return ids;
}

}  // namespace tessera::api
