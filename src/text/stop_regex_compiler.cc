// From the text of an expression to the states of a StopRegex.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "text/stop_regex.h"

namespace tessera::text {

/// Recursive descent from the pattern to a tree, and from the tree to states, the end first.
class RegexCompiler {
 public:
  explicit RegexCompiler(std::string_view pattern) : pattern_(pattern) {}
  Result<StopRegex> run();

 private:
  using Range = StopRegex::Range;
  using State = StopRegex::State;
  static constexpr int kMaxDepth = 50;
  static constexpr int kMaxRepeat = 1000;
  static constexpr char32_t kLastCharacter = 0x10FFFF;

  struct Node;
  using NodePtr = std::unique_ptr<Node>;
  struct Node {
    enum class Kind { kSet, kBegin, kSequence, kChoice, kRepeat } kind = Kind::kSequence;
    std::vector<Range> set = {};
    std::vector<NodePtr> children = {};
    int least = 0, most = 0;  // kRepeat; -1: any
  };

  Error wrong(std::string_view what) const {
    return invalid_argument("regular expression \"{:.100}\": {} at byte {}", pattern_, what, at_);
  }
  bool more() const { return at_ < pattern_.size(); }
  char peek() const { return pattern_[at_]; }
  bool eat(char c) {
    const bool there = more() && peek() == c;
    at_ += there ? 1 : 0;
    return there;
  }

  Result<NodePtr> choice(int depth);
  Result<NodePtr> sequence(int depth);
  Result<NodePtr> atom(int depth);
  Result<NodePtr> repeated(NodePtr child);
  Result<std::optional<std::pair<int, int>>> counts();
  std::optional<int> count();
  Result<char32_t> character();
  Result<std::vector<Range>> escape();
  Result<std::vector<Range>> set_item();
  Result<std::vector<Range>> set();
  Result<int32_t> emit(const Node& node, int32_t next);
  Result<int32_t> emit_repeat(const Node& node, int32_t next);
  Result<int32_t> add(State state);

  std::string_view pattern_;
  size_t at_ = 0;
  std::vector<State> states_;
};

namespace {

using Ranges = std::vector<std::pair<char32_t, char32_t>>;

/// Of \d, \w or \s; empty for any other letter.
Ranges class_of(char letter) {
  switch (letter) {
    case 'd':
      return {{'0', '9'}};
    case 'w':
      return {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    case 's':
      return {{'\t', '\r'}, {' ', ' '}};
    default:
      return {};
  }
}

std::optional<char32_t> control(char letter) {
  constexpr std::array<std::pair<char, char32_t>, 6> kControls = {
      {{'n', '\n'}, {'t', '\t'}, {'r', '\r'}, {'f', '\f'}, {'v', '\v'}, {'0', '\0'}}};
  for (const auto& [name, value] : kControls) {
    if (name == letter) return value;
  }
  return std::nullopt;
}

bool is_letter_or_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

template <class Range>
std::vector<Range> complement(std::vector<Range> ranges) {
  std::ranges::sort(ranges, {}, &Range::first);
  std::vector<Range> rest;
  char32_t from = 0;
  for (const Range& range : ranges) {
    if (range.first > from) rest.push_back({from, static_cast<char32_t>(range.first - 1)});
    from = std::max<char32_t>(from, range.last + 1);
  }
  if (from <= 0x10FFFF) rest.push_back({from, 0x10FFFF});
  return rest;
}

}  // namespace

Result<char32_t> RegexCompiler::character() {
  const auto [bytes, value] = StopRegex::lead(pattern_[at_++]);
  char32_t result = value;
  for (int i = 0; i < bytes; ++i) {
    if (!more()) return wrong("half a character");
    result = (result << 6) | (static_cast<unsigned char>(pattern_[at_++]) & 0x3FU);
  }
  return result;
}

/// What stands behind a backslash.
Result<std::vector<RegexCompiler::Range>> RegexCompiler::escape() {
  if (!more()) return wrong("nothing behind \\");
  const char c = peek();
  std::vector<Range> ranges;
  for (const auto& [first, last] : class_of(static_cast<char>(c | 0x20)))
    ranges.push_back({first, last});
  if (!ranges.empty()) {
    ++at_;
    return c < 'a' ? complement(std::move(ranges)) : ranges;
  }
  if (const auto value = control(c)) {
    ++at_;
    return std::vector<Range>{{*value, *value}};
  }
  if (is_letter_or_digit(c)) return wrong(fmt::format("\\{} is not offered", c));
  const char32_t value = TRY(character());
  return std::vector<Range>{{value, value}};
}

/// A character or a class.
Result<std::vector<RegexCompiler::Range>> RegexCompiler::set_item() {
  if (eat('\\')) return escape();
  const char32_t value = TRY(character());
  return std::vector<Range>{{value, value}};
}

/// Behind the opening bracket.
Result<std::vector<RegexCompiler::Range>> RegexCompiler::set() {
  const bool negated = eat('^');
  std::vector<Range> ranges;
  for (bool first = true; first || !more() || peek() != ']'; first = false) {
    if (!more()) return wrong("a [ without its ]");
    std::vector<Range> item = TRY(set_item());
    const bool single = item.size() == 1 && item[0].first == item[0].last;
    if (single && at_ + 1 < pattern_.size() && peek() == '-' && pattern_[at_ + 1] != ']') {
      ++at_;
      const std::vector<Range> end = TRY(set_item());
      if (end.size() != 1 || end[0].first != end[0].last || end[0].first < item[0].first)
        return wrong("a range that is none");
      item[0].last = end[0].last;
    }
    ranges.insert(ranges.end(), item.begin(), item.end());
  }
  ++at_;
  return negated ? complement(std::move(ranges)) : ranges;
}

Result<RegexCompiler::NodePtr> RegexCompiler::atom(int depth) {
  auto node = std::make_unique<Node>();
  node->kind = Node::Kind::kSet;
  const char c = peek();
  if (eat('(')) {
    if (eat('?') && !eat(':')) return wrong("(? with anything but : is not offered");
    NodePtr inside = TRY(choice(depth + 1));
    if (!eat(')')) return wrong("a ( without its )");
    return inside;
  }
  if (eat('[')) {
    node->set = TRY(set());
  } else if (eat('\\')) {
    node->set = TRY(escape());
  } else if (eat('.')) {
    node->set = complement(std::vector<Range>{{'\n', '\n'}});
  } else if (eat('^')) {
    node->kind = Node::Kind::kBegin;
  } else if (c == '*' || c == '+' || c == '?') {
    return wrong(fmt::format("a {} with nothing before it", c));
  } else if (c == '$') {
    return wrong("$ is not offered: a text that is still being written has no end");
  } else {
    const char32_t value = TRY(character());
    node->set = {{value, value}};
  }
  return node;
}

std::optional<int> RegexCompiler::count() {
  const size_t begin = at_;
  int value = 0;
  while (more() && peek() >= '0' && peek() <= '9')
    value = std::min(kMaxRepeat + 1, value * 10 + (pattern_[at_++] - '0'));
  return at_ > begin ? std::optional(value) : std::nullopt;
}

/// {m}, {m,}, {,n} or {m,n}, as {least, most}; nothing when it is a mere brace.
Result<std::optional<std::pair<int, int>>> RegexCompiler::counts() {
  using Counts = std::optional<std::pair<int, int>>;
  const size_t begin = at_;
  if (!eat('{')) return Counts();
  const auto least = count();
  const bool comma = eat(',');
  const auto most = comma ? count() : least;
  if (!eat('}') || (!least && !most)) {
    at_ = begin;
    return Counts();
  }
  const std::pair<int, int> range{least.value_or(0), most.value_or(-1)};
  if (range.first > kMaxRepeat || range.second > kMaxRepeat)
    return wrong(fmt::format("more than {} repetitions", kMaxRepeat));
  if (range.second >= 0 && range.second < range.first)
    return wrong("a repetition of at most less than at least");
  return Counts(range);
}

Result<RegexCompiler::NodePtr> RegexCompiler::repeated(NodePtr child) {
  std::optional<std::pair<int, int>> range;
  if (eat('*')) {
    range = {0, -1};
  } else if (eat('+')) {
    range = {1, -1};
  } else if (eat('?')) {
    range = {0, 1};
  } else {
    range = TRY(counts());
  }
  if (!range) return child;
  eat('?');  // as few as possible: the first complete match ends the text either way
  if (more() && (peek() == '*' || peek() == '+' || peek() == '?'))
    return wrong("a repetition of a repetition");
  auto node = std::make_unique<Node>();
  node->kind = Node::Kind::kRepeat;
  node->least = range->first;
  node->most = range->second;
  node->children.push_back(std::move(child));
  return node;
}

Result<RegexCompiler::NodePtr> RegexCompiler::sequence(int depth) {
  auto node = std::make_unique<Node>();
  while (more() && peek() != '|' && peek() != ')') {
    NodePtr child = TRY(atom(depth));
    node->children.push_back(TRY(repeated(std::move(child))));
  }
  return node;
}

Result<RegexCompiler::NodePtr> RegexCompiler::choice(int depth) {
  if (depth > kMaxDepth) return wrong(fmt::format("more than {} groups in one another", kMaxDepth));
  auto node = std::make_unique<Node>();
  node->kind = Node::Kind::kChoice;
  do {
    node->children.push_back(TRY(sequence(depth)));
  } while (eat('|'));
  return node;
}

Result<int32_t> RegexCompiler::add(State state) {
  if (states_.size() == StopRegex::kMaxStates) {
    return invalid_argument("regular expression \"{:.100}\" needs more than {} states", pattern_,
                            StopRegex::kMaxStates);
  }
  states_.push_back(std::move(state));
  return static_cast<int32_t>(states_.size()) - 1;
}

Result<int32_t> RegexCompiler::emit_repeat(const Node& node, int32_t next) {
  const Node& child = *node.children.front();
  if (node.most < 0) {
    const int32_t split = TRY(add({.kind = State::Kind::kSplit, .next = -1, .other = next}));
    const int32_t body = TRY(emit(child, split));
    states_[static_cast<size_t>(split)].next = body;
    next = split;
  }
  const int32_t end = next;
  for (int optional = node.least; optional < node.most; ++optional) {
    const int32_t body = TRY(emit(child, next));
    next = TRY(add({.kind = State::Kind::kSplit, .next = body, .other = end}));
  }
  for (int copy = 0; copy < node.least; ++copy) {
    const int32_t entry = TRY(emit(child, next));
    if (entry == next)
      break;  // of nothing there are as many as one likes: no a thousand times a thousand turns
    next = entry;
  }
  return next;
}

/// The state in which `node` begins, when `next` comes behind it.
Result<int32_t> RegexCompiler::emit(const Node& node, int32_t next) {
  switch (node.kind) {
    case Node::Kind::kSet:
      return add({.kind = State::Kind::kSet, .set = node.set, .next = next});
    case Node::Kind::kBegin:
      return add({.kind = State::Kind::kBegin, .next = next});
    case Node::Kind::kRepeat:
      return emit_repeat(node, next);
    case Node::Kind::kSequence:
      for (size_t at = node.children.size(); at-- > 0;)
        next = TRY(emit(*node.children[at], next));
      return next;
    case Node::Kind::kChoice:
      break;
  }
  int32_t entry = TRY(emit(*node.children.back(), next));
  for (size_t at = node.children.size() - 1; at-- > 0;) {
    const int32_t branch = TRY(emit(*node.children[at], next));
    entry = TRY(add({.kind = State::Kind::kSplit, .next = branch, .other = entry}));
  }
  return entry;
}

Result<StopRegex> RegexCompiler::run() {
  if (pattern_.size() > StopRegex::kMaxPatternBytes) {
    return invalid_argument("a regular expression has {} bytes, expected at most {}", pattern_.size(),
                            StopRegex::kMaxPatternBytes);
  }
  const NodePtr tree = TRY(choice(0));
  if (more()) return wrong("a ) without its (");
  const int32_t match = TRY(add({.kind = State::Kind::kMatch}));
  StopRegex regex;
  regex.entry_ = TRY(emit(*tree, match));
  regex.pattern_ = std::string(pattern_);
  regex.states_ = std::move(states_);
  regex.seen_.resize(regex.states_.size());
  ++regex.round_;
  if (regex.follow({regex.entry_, 0}, 0)) return wrong("the empty text matches");
  regex.next_.clear();
  return regex;
}

Result<StopRegex> StopRegex::compile(std::string_view pattern) {
  return RegexCompiler(pattern).run();
}

}  // namespace tessera::text
