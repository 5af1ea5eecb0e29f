#include "bench/serving/python_random.h"

#include <array>
#include <bit>
#include <cmath>
#include <sstream>

namespace tessera::bench::serving {
namespace {

constexpr size_t kStateWords = 624;

/// init_by_array of the MT19937 authors with the key that CPython makes of an integer: its 32-bit words.
/// std::mt19937 takes a state only as text.
std::mt19937 seeded_by_array(uint64_t seed) {
  std::array<uint32_t, 2> key{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  const size_t key_words = key[1] != 0 ? 2 : 1;
  std::array<uint32_t, kStateWords> state;
  state[0] = 19650218U;
  for (size_t i = 1; i < kStateWords; ++i)
    state[i] = 1812433253U * (state[i - 1] ^ (state[i - 1] >> 30)) + static_cast<uint32_t>(i);
  size_t i = 1;
  const auto next = [&] {
    if (++i < kStateWords) return;
    state[0] = state[kStateWords - 1];
    i = 1;
  };
  for (size_t step = 0; step < kStateWords; ++step, next()) {
    const size_t j = step % key_words;
    state[i] =
        (state[i] ^ ((state[i - 1] ^ (state[i - 1] >> 30)) * 1664525U)) + key[j] + static_cast<uint32_t>(j);
  }
  for (size_t step = 0; step + 1 < kStateWords; ++step, next())
    state[i] = (state[i] ^ ((state[i - 1] ^ (state[i - 1] >> 30)) * 1566083941U)) - static_cast<uint32_t>(i);
  state[0] = 0x80000000U;

  std::ostringstream text;
  for (const uint32_t word : state)
    text << word << ' ';
  text << kStateWords;  // all words used: the next call makes new ones
  std::mt19937 engine;
  std::istringstream(text.str()) >> engine;
  return engine;
}

/// Uniform in [0, 1) with 53 bits: genrand_res53, which both libraries use.
double unit(std::mt19937& engine) {
  const auto high = static_cast<double>(engine() >> 5);
  const auto low = static_cast<double>(engine() >> 6);
  return (high * 67108864.0 + low) / 9007199254740992.0;
}

}  // namespace

PythonRandom::PythonRandom(uint64_t seed) : engine_(seeded_by_array(seed)) {}

size_t PythonRandom::below(size_t limit) {
  const int bits = std::bit_width(limit);
  for (;;) {
    const size_t value = static_cast<uint32_t>(engine_()) >> (32 - bits);
    if (value < limit) return value;
  }
}

size_t PythonRandom::choice(size_t count) {
  return static_cast<size_t>(unit(engine_) * static_cast<double>(count));
}

int64_t NumpyRandom::randint(int64_t low, int64_t high) {
  const auto range = static_cast<uint32_t>(high - 1 - low);
  if (range == 0) return low;  // NumPy draws nothing then
  const uint32_t mask = ~uint32_t{0} >> std::countl_zero(range);
  for (;;) {
    const uint32_t value = static_cast<uint32_t>(engine_()) & mask;
    if (value <= range) return low + value;
  }
}

double NumpyRandom::exponential(double scale) {
  return scale * -std::log(1.0 - unit(engine_));
}

}  // namespace tessera::bench::serving
