#include "bench/report/result_value.h"

namespace tessera::bench {
namespace {

constexpr size_t kShown = 40;  // bytes of a wrong value

std::string shown(const nlohmann::json& value) {
  const std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return text.size() > kShown ? text.substr(0, kShown) + "..." : text;
}

const nlohmann::json& empty_object() {
  static const nlohmann::json empty = nlohmann::json::object();
  return empty;
}

}  // namespace

ResultValue::ResultValue(const nlohmann::json& json, std::string where, std::optional<Error>& error)
    : json_(&json), where_(std::move(where)), error_(&error) {
  if (json.is_object()) return;
  if (!error) error = data_corrupt("{} is {}, expected an object", where_, shown(json));
  json_ = &empty_object();
}

const nlohmann::json* ResultValue::find(std::string_view name) const {
  const auto at = json_->find(name);
  return at == json_->end() || at->is_null() ? nullptr : &*at;
}

void ResultValue::wrong(std::string_view name, std::string_view expectation) const {
  if (*error_) return;
  const nlohmann::json* value = find(name);
  *error_ = data_corrupt("{}: {} is {}, expected {}", where_, name,
                         value == nullptr ? "absent" : shown(*value), expectation);
}

std::optional<double> ResultValue::number(std::string_view name) const {
  const nlohmann::json* value = find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) return value->get<double>();
  wrong(name, "a number");
  return std::nullopt;
}

double ResultValue::required(std::string_view name) const {
  if (find(name) == nullptr) wrong(name, "a number");
  return number(name).value_or(0);
}

std::string ResultValue::text(std::string_view name) const {
  const nlohmann::json* value = find(name);
  if (value == nullptr) return {};
  if (value->is_string()) return value->get<std::string>();
  wrong(name, "a text");
  return {};
}

ResultValue ResultValue::object(std::string_view name) const {
  const nlohmann::json* value = find(name);
  if (value == nullptr) wrong(name, "an object");
  return {value == nullptr ? empty_object() : *value, fmt::format("{}: {}", where_, name), *error_};
}

std::vector<ResultValue> ResultValue::objects(std::string_view name) const {
  std::vector<ResultValue> values;
  const nlohmann::json* value = find(name);
  if (value == nullptr || !value->is_array()) {
    wrong(name, "a list");
    return values;
  }
  for (const nlohmann::json& one : *value)
    values.emplace_back(one, fmt::format("{}: {}[{}]", where_, name, values.size()), *error_);
  return values;
}

std::vector<std::pair<double, double>> ResultValue::pairs(std::string_view name) const {
  std::vector<std::pair<double, double>> pairs;
  const nlohmann::json* value = find(name);
  if (value == nullptr || !value->is_array()) {
    wrong(name, "a list of pairs");
    return pairs;
  }
  for (const nlohmann::json& one : *value) {
    if (!one.is_array() || one.size() != 2 || !one[0].is_number() || !one[1].is_number()) {
      wrong(name, "a list of pairs of numbers");
      return {};
    }
    pairs.emplace_back(one[0].get<double>(), one[1].get<double>());
  }
  return pairs;
}

}  // namespace tessera::bench
