#include "mutator.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace tessera::fuzz {
namespace {

constexpr size_t kMaxInputBytes = 1 << 16;

constexpr std::array<std::string_view, 20> kNumbers = {"0",
                                                       "1",
                                                       "-1",
                                                       "2",
                                                       "127",
                                                       "128",
                                                       "255",
                                                       "256",
                                                       "65536",
                                                       "2147483647",
                                                       "2147483648",
                                                       "4294967296",
                                                       "9223372036854775807",
                                                       "9223372036854775808",
                                                       "18446744073709551615",
                                                       "18446744073709551616",
                                                       "1e308",
                                                       "1e999",
                                                       "-0.0",
                                                       "1e-320"};
constexpr std::array<std::string_view, 12> kValues = {"null", "true",   "[]",       "{}",
                                                      "\"\"", "[[]]",   "\"..\"",   "\"\\u0000\"",
                                                      "1.5",  "[null]", "{\"\":0}", "\"\xf0\x9f\x98\x80\""};
constexpr std::array<uint64_t, 10> kIntegers = {
    0, 1, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, uint64_t{1} << 61, UINT64_MAX >> 1, UINT64_MAX};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

void collect_texts(const std::string& input, std::vector<std::string>& texts) {
  size_t begin = input.find('"');
  while (begin != std::string::npos && texts.size() < 10'000) {
    const size_t end = input.find('"', begin + 1);
    if (end == std::string::npos) return;
    if (end - begin < 100) texts.push_back(input.substr(begin, end - begin + 1));
    begin = input.find('"', end + 1);
  }
}

}  // namespace

Mutator::Mutator(std::vector<std::string> corpus, uint64_t seed) : corpus_(std::move(corpus)), random_(seed) {
  for (const std::string_view value : kValues)
    texts_.emplace_back(value);
  for (const std::string& input : corpus_)
    collect_texts(input, texts_);
}

std::string Mutator::next() {
  std::string input = pick(corpus_);
  for (size_t changes = 1 + below(6); changes > 0; --changes)
    change(input);
  if (input.size() > kMaxInputBytes) input.resize(kMaxInputBytes);
  return input;
}

void Mutator::change(std::string& input) {
  if (input.empty()) return splice(input);
  const size_t at = below(input.size());
  switch (below(10)) {
    case 0:
      input[at] = static_cast<char>(input[at] ^ (1 << below(8)));
      break;
    case 1:
      input[at] = static_cast<char>(below(256));
      break;
    case 2:
      input.erase(at, 1 + below(std::min<size_t>(input.size() - at, 64)));
      break;
    case 3:
      input.insert(at, 1 + below(4), static_cast<char>(below(256)));
      break;
    case 4:
      return overwrite_integer(input);
    case 5:
      return repeat(input);
    case 6:
      return splice(input);
    case 7:
    case 8:
      return replace_text(input);
    default:
      return replace_number(input);
  }
}

/// A little-endian length or offset.
void Mutator::overwrite_integer(std::string& input) {
  const size_t bytes = size_t{1} << below(4);
  if (input.size() < bytes) return;
  uint64_t value = kIntegers[below(kIntegers.size())];
  if (below(2) == 0) value += below(9) - 4;
  std::memcpy(&input[below(input.size() - bytes + 1)], &value, bytes);
}

void Mutator::replace_number(std::string& input) {
  const auto start = input.begin() + static_cast<ptrdiff_t>(below(input.size()));
  const auto first = std::find_if(start, input.end(), is_digit);
  const auto last = std::find_if_not(first, input.end(), is_digit);
  if (first == input.end()) return;
  input.replace(first, last, kNumbers[below(kNumbers.size())]);
}

/// A quoted text by another one, or by a value of another kind.
void Mutator::replace_text(std::string& input) {
  const size_t begin = input.find('"', below(input.size()));
  if (begin == std::string::npos) return;
  const size_t end = input.find('"', begin + 1);
  if (end == std::string::npos) return;
  input.replace(begin, end - begin + 1, pick(texts_));
}

/// A part of another input, put in.
void Mutator::splice(std::string& input) {
  const std::string& other = pick(corpus_);
  if (other.empty()) return;
  const size_t from = below(other.size());
  input.insert(below(input.size() + 1), other, from, 1 + below(std::min<size_t>(other.size() - from, 256)));
}

/// A part of the input, many times.
void Mutator::repeat(std::string& input) {
  const size_t from = below(input.size());
  const std::string part = input.substr(from, 1 + below(std::min<size_t>(input.size() - from, 32)));
  const size_t at = below(input.size() + 1);
  std::string repeated;
  for (size_t times = size_t{1} << below(8); times > 0; --times)
    repeated += part;
  input.insert(at, repeated);
}

}  // namespace tessera::fuzz
