// The random numbers of Python's `random` and of NumPy's `np.random`, number by number: with the same --seed,
// SGLang's script and ours then choose the same conversations, lengths and times of arrival. Both generators
// are MT19937 and differ in how a seed becomes a state. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <utility>

namespace tessera::bench::serving {

/// random.seed(seed), random.shuffle and random.choices (CPython, Lib/random.py).
class PythonRandom {
 public:
  explicit PythonRandom(uint64_t seed);

  template <class T>
  void shuffle(std::span<T> items) {
    for (size_t i = items.size(); i-- > 1;)
      std::swap(items[i], items[below(i + 1)]);
  }
  /// An index below `count`, as random.choices picks it.
  size_t choice(size_t count);

 private:
  size_t below(size_t limit);  // uniform, 0 < limit < 2^32
  std::mt19937 engine_;
};

/// np.random.seed(seed), np.random.randint and np.random.exponential (the legacy RandomState).
class NumpyRandom {
 public:
  explicit NumpyRandom(uint32_t seed) : engine_(seed) {}

  /// Uniform in [low, high), high - low < 2^32.
  int64_t randint(int64_t low, int64_t high);
  double exponential(double scale);

 private:
  std::mt19937 engine_;
};

}  // namespace tessera::bench::serving
