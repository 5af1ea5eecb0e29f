// Typed reading of a request's fields. An absent field and null are the same; a wrong type is
// kInvalidArgument that names field, value and expectation. Unknown fields are ignored. Not thread-safe,
// cheap to make.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/json.h"

namespace tessera::api {

class Fields {
 public:
  /// `object` must outlive this. `prefix` (e.g. "sampling_params.") opens the names in messages.
  explicit Fields(const Json& object, std::string prefix = "")
      : object_(object), prefix_(std::move(prefix)) {}

  /// The value, or null if it is absent or null.
  const Json* find(std::string_view name) const;

  Result<std::optional<double>> number(std::string_view name) const;  // finite
  /// 16 and 16.0 are integers, 16.5 and "16" are not.
  Result<std::optional<int64_t>> integer(std::string_view name, int64_t low, int64_t high) const;
  Result<bool> boolean(std::string_view name, bool fallback) const;
  Result<std::optional<std::string>> string(std::string_view name) const;
  /// "a" or ["a", "b"].
  Result<std::vector<std::string>> strings(std::string_view name) const;
  /// [1, 2, 3] or 1, each in [low, high].
  Result<std::vector<int32_t>> ids(std::string_view name, int32_t low, int32_t high) const;
  /// The object, or an empty one.
  Result<Json> object(std::string_view name) const;

  Error wrong(std::string_view name, std::string_view expectation) const;

 private:
  const Json& object_;
  std::string prefix_;
};

/// The names, with their prefixes, that this thread's Fields are asked for while it lives, one at a time: so
/// that a test sees whether all that is read is described.
class FieldNames {
 public:
  FieldNames();
  ~FieldNames();
  FieldNames(const FieldNames&) = delete;
  FieldNames& operator=(const FieldNames&) = delete;

  const std::set<std::string>& seen() const { return seen_; }

 private:
  friend class Fields;
  std::set<std::string> seen_;
};

/// A list of token ids, or one; `name` for messages.
Result<std::vector<int32_t>> parse_ids(const Json& value, std::string_view name, int32_t low, int32_t high);

/// A short rendering of a value for messages.
std::string shown(const Json& value);

}  // namespace tessera::api
