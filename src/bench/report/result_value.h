// ResultValue: an object in a result file and where it stands there, so that what is wrong with one is named:
// "runs.json: cases[3]: gmacs is "fast", expected a number". Reading goes on after an error, which is kept
// for the end: sections are plain functions of what they read. Not thread-safe, cheap to copy.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tessera::bench {

class ResultValue {
 public:
  /// The first thing that was wrong, kDataCorrupt, becomes `error`. Both outlive this. `where` opens every
  /// message.
  ResultValue(const nlohmann::json& json, std::string where, std::optional<Error>& error);

  /// Absent and null are the same: nothing, or "".
  std::optional<double> number(std::string_view name) const;
  std::string text(std::string_view name) const;
  /// Wrong when absent.
  double required(std::string_view name) const;
  ResultValue object(std::string_view name) const;
  std::vector<ResultValue> objects(std::string_view name) const;
  /// A list of [x, y].
  std::vector<std::pair<double, double>> pairs(std::string_view name) const;

  /// An object.
  const nlohmann::json& json() const { return *json_; }
  const std::string& where() const { return where_; }

 private:
  const nlohmann::json* find(std::string_view name) const;
  void wrong(std::string_view name, std::string_view expectation) const;

  const nlohmann::json* json_;
  std::string where_;
  std::optional<Error>* error_;
};

}  // namespace tessera::bench
