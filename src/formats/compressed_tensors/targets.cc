#include "formats/compressed_tensors/targets.h"

#include <algorithm>
#include <map>

namespace tessera::formats::compressed_tensors {
namespace {

constexpr std::string_view kRegexPrefix = "re:";
constexpr size_t kMaxNameLength = 1024;

bool is_regex(std::string_view target) {
  return target.starts_with(kRegexPrefix);
}

/// Whether a number in it has more digits than any layer or count: libstdc++ reads {99999999999999999999}
/// into a long, whose overflow is undefined.
bool has_long_number(std::string_view regex) {
  constexpr size_t kMaxDigits = 9;
  size_t digits = 0;
  for (const char c : regex) {
    digits = c >= '0' && c <= '9' ? digits + 1 : 0;
    if (digits > kMaxDigits) return true;
  }
  return false;
}

}  // namespace

Result<NamePattern> NamePattern::compile(std::string_view regex) {
  if (regex.size() > kMaxLength) {
    return invalid_argument("regex of {} characters, expected at most {}", regex.size(), kMaxLength);
  }
  if (has_long_number(regex)) return invalid_argument("regex \"{}\": a number of more than 9 digits", regex);
  NamePattern pattern;
  try {
    // __polynomial: libstdc++'s breadth-first matcher. The default one backtracks: a hostile pattern such as
    // (a*)*b takes exponential time, and long names exhaust the stack. The price, no back-references, is a
    // clean error.
    pattern.regex_.assign(regex.begin(), regex.end(),
                          std::regex::ECMAScript | std::regex::optimize | std::regex_constants::__polynomial);
  } catch (const std::regex_error& error) {
    return invalid_argument("regex \"{}\": {}", regex, error.what());
  }
  return pattern;
}

bool NamePattern::matches(std::string_view name) const {
  if (name.size() > kMaxNameLength) return false;
  try {
    return std::regex_search(name.begin(), name.end(), regex_, std::regex_constants::match_continuous);
  } catch (const std::regex_error&) {
    return false;  // the matcher's own limits
  }
}

Result<NameSet> NameSet::create(std::span<const std::string> targets) {
  NameSet set;
  for (const std::string& text : targets) {
    if (!is_regex(text)) {
      set.names_.insert(text);
      continue;
    }
    if (set.patterns_.size() == kMaxPatterns)
      return invalid_argument("more than {} regexes in a list", kMaxPatterns);
    set.patterns_.push_back(TRY(NamePattern::compile(std::string_view(text).substr(kRegexPrefix.size()))));
  }
  return set;
}

bool NameSet::contains(std::string_view name, std::string_view class_name) const {
  return names_.contains(std::string(name)) || names_.contains(std::string(class_name)) ||
         std::ranges::any_of(patterns_, [&](const NamePattern& pattern) { return pattern.matches(name); });
}

Result<TargetMatcher> TargetMatcher::create(const QuantizationConfig& config) {
  TargetMatcher matcher;
  std::map<std::string, size_t> targets;  // text -> group, sorted, the later group overwrites
  for (size_t group = 0; group < config.groups.size(); ++group) {
    for (const std::string& target : config.groups[group].targets)
      targets[target] = group;
  }
  for (const auto& [text, group] : targets) {
    if (!is_regex(text)) {
      matcher.names_[text] = group;
      continue;
    }
    auto pattern =
        TRY(NamePattern::compile(std::string_view(text).substr(kRegexPrefix.size()))
                .context(fmt::format("quantization_config.config_groups.{}", config.groups[group].name)));
    matcher.patterns_.push_back({text, group, std::move(pattern)});
  }
  matcher.ignored_ = TRY(NameSet::create(config.ignore).context("quantization_config.ignore"));
  const size_t patterns = matcher.patterns_.size() + matcher.ignored_.patterns();
  if (patterns > NameSet::kMaxPatterns) {
    return invalid_argument("quantization_config: {} regexes, expected at most {}", patterns,
                            NameSet::kMaxPatterns);
  }
  return matcher;
}

bool TargetMatcher::ignored(std::string_view name, ModuleKind kind) const {
  return ignored_.contains(name, class_name(kind));
}

std::optional<size_t> TargetMatcher::group_of(std::string_view name, ModuleKind kind) const {
  if (ignored(name, kind)) return std::nullopt;
  if (const auto exact = names_.find(std::string(name)); exact != names_.end()) return exact->second;
  for (const Target& target : patterns_) {
    if (target.pattern->matches(name)) return target.group;
  }
  const auto by_class = names_.find(std::string(class_name(kind)));
  if (by_class == names_.end()) return std::nullopt;
  return by_class->second;
}

}  // namespace tessera::formats::compressed_tensors
