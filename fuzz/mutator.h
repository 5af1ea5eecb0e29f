// Mutator: makes inputs out of a corpus, for builds without libFuzzer. It knows nothing of coverage; it moves
// bytes, lengths, JSON numbers and quoted texts about. Deterministic for a seed. Not thread-safe.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace tessera::fuzz {

class Mutator {
 public:
  /// `corpus` is not empty.
  Mutator(std::vector<std::string> corpus, uint64_t seed);

  /// One of the corpus with 1 to 6 changes.
  std::string next();

 private:
  size_t below(size_t bound) { return std::uniform_int_distribution<size_t>(0, bound - 1)(random_); }
  const std::string& pick(const std::vector<std::string>& from) { return from[below(from.size())]; }
  void change(std::string& input);
  void overwrite_integer(std::string& input);
  void replace_number(std::string& input);
  void replace_text(std::string& input);
  void splice(std::string& input);
  void repeat(std::string& input);

  std::vector<std::string> corpus_;
  std::vector<std::string> texts_;  // quoted ones of the corpus, with their quotes
  std::mt19937_64 random_;
};

}  // namespace tessera::fuzz
