// TargetMatcher: which config group a module belongs to, by the definition of the compressed-tensors library:
// ignore beats everything; then an exact name; then regexes ("re:..."), *sorted by their text*, not in the
// file's order; then the class ("Linear", "Embedding"). A regex must match from the first character but need
// not reach the end (Python's re.match). If two groups name the same target, the later group wins. Immutable,
// thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <regex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "formats/compressed_tensors/config.h"
#include "formats/weight_format.h"

namespace tessera::formats::compressed_tensors {

/// One pattern of the library: a regex without its "re:". Matching time is polynomial in pattern and name.
class NamePattern {
 public:
  static constexpr size_t kMaxLength = 1024;
  /// kInvalidArgument when it is over-long or not a regex that we can run (ECMAScript: no (?P<..>), (?i),
  /// lookbehind).
  static Result<NamePattern> compile(std::string_view regex);
  /// From the first character, not necessarily to the end. False for names over 1024 characters.
  bool matches(std::string_view name) const;

 private:
  std::regex regex_;
};

/// A list of targets: exact names, regexes, names of classes.
class NameSet {
 public:
  static constexpr size_t kMaxPatterns = 4096;
  /// Compiles the regexes; kInvalidArgument as NamePattern, or for more than kMaxPatterns of them.
  static Result<NameSet> create(std::span<const std::string> targets);

  bool contains(std::string_view name, std::string_view class_name) const;
  size_t patterns() const { return patterns_.size(); }

 private:
  std::unordered_set<std::string> names_;  // ignore lists can be thousands long
  std::vector<NamePattern> patterns_;
};

class TargetMatcher {
 public:
  /// Compiles the regexes of groups and ignore list.
  static Result<TargetMatcher> create(const QuantizationConfig& config);

  bool ignored(std::string_view name, ModuleKind kind) const;
  /// Index into config.groups; nullopt when ignored or matched by none.
  std::optional<size_t> group_of(std::string_view name, ModuleKind kind) const;

 private:
  struct Target {
    std::string text;  // with "re:"
    size_t group;
    std::optional<NamePattern> pattern;
  };
  static std::string_view class_name(ModuleKind kind) {
    return kind == ModuleKind::kLinear ? "Linear" : "Embedding";
  }

  std::unordered_map<std::string, size_t> names_;  // exact names and class names
  std::vector<Target> patterns_;                   // sorted by text
  NameSet ignored_;
};

}  // namespace tessera::formats::compressed_tensors
