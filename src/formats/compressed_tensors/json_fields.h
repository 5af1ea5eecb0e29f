// Fields: typed access to one JSON object with messages that name path, value and expectation. null counts as
// absent, as in the library's schema. A view: the object outlives it.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tessera::formats::compressed_tensors {

class Fields {
 public:
  Fields(const nlohmann::json& object, std::string where) : object_(object), where_(std::move(where)) {}

  std::string path(std::string_view key) const { return fmt::format("{}.{}", where_, key); }
  Status check_object() const;
  /// Also checks that it is an object. The library forbids unknown keys inside groups and arguments: so do
  /// we.
  Status only(std::span<const std::string_view> keys) const;

  /// nullptr when absent or null.
  const nlohmann::json* find(std::string_view key) const;
  Result<int> integer(std::string_view key, int fallback) const;
  Result<bool> boolean(std::string_view key, bool fallback) const;
  Result<std::string> text(std::string_view key, std::string fallback) const;
  /// Empty when absent.
  Result<std::vector<std::string>> texts(std::string_view key) const;
  static Result<std::vector<std::string>> text_list(const nlohmann::json& value, const std::string& where);

  /// "PATH=VALUE, expected EXPECTATION"
  Error wrong(std::string_view key, std::string_view expectation) const;

 private:
  const nlohmann::json& object_;
  std::string where_;
};

}  // namespace tessera::formats::compressed_tensors
