// gemm_unpack in float32, for whichever vec16_*.h was included before: a unit is one column, and rows are
// widened a strip at a time. The including file gives
//   struct Words; Words load_words(const uint8_t*)     16 words of 32 bits
//   Vec field(Words, int shift, int mask)              (word >> shift & mask) of each, as float
#pragma once

// After the vocabulary.
#include "kernels/gemm_unpack/gemm_unpack_inl.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

/// `count` columns as floats, followed by 0 to the end of the last tile.
inline void widen_row(const float* x, int64_t count, float* out) {
  for (int64_t i = 0; i < count; i += kLanes)
    store(out + i, load_n(x + i, count - i < kLanes ? count - i : kLanes));
}
inline void widen_row(const uint16_t* x, int64_t count, float* out) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    store(out + i, load_bf16(x + i));
  if (i == count) return;
  uint16_t rest[kLanes] = {};
  __builtin_memcpy(rest, x + i, static_cast<size_t>(count - i) * sizeof(uint16_t));
  store(out + i, load_bf16(rest));
}

struct FloatMath {
  using Input = float;
  using Raw = Words;
  using Operand = Vec;
  static constexpr int64_t kInputColumns = 4 * kMostBlock;  // a strip

  template <int kBits, bool kZeros>
  struct Unpack {
    static constexpr int kUnits = 32 / kBits;
    Vec bias;  // what is subtracted from the unsigned code
    explicit Unpack(const int8_t* zeros) {
      bias = set1(1 << (kBits - 1));
      if constexpr (kZeros) {
        float values[kPanel];
        for (int64_t i = 0; i < kPanel; ++i)
          values[i] = zeros[i];
        bias = add(bias, load(values));
      }
    }
    Vec operand(const Words& words, int unit) const {
      const int column = column_of(unit);
      const int shift = kBits == 8 ? column * 8 : column % 2 * 16 + column / 2 * 4;
      return sub(field(words, shift, (1 << kBits) - 1), bias);
    }
  };

  static Raw load_raw(const uint8_t* p) { return load_words(p); }

  static Rows<float> rows(const Call& call, int64_t row, int64_t count, int64_t k, int64_t columns,
                          float* input) {
    for (int64_t r = row; r < row + count; ++r, input += kInputColumns) {
      const int64_t at = r * call.x_stride + k;
      if (call.x_is_bf16) {
        widen_row(static_cast<const uint16_t*>(call.x) + at, columns, input);
      } else {
        widen_row(static_cast<const float*>(call.x) + at, columns, input);
      }
    }
    return {input - count * kInputColumns, kInputColumns};
  }

  static inline __attribute__((always_inline)) Vec value(const float* tile, int unit) {
    return set1(tile[column_of(unit)]);
  }
  static inline __attribute__((always_inline)) Vec multiply_add(Vec acc, Vec weights, Vec x) {
    return fma(weights, x, acc);
  }

 private:
  /// Odd columns before even ones, as vdpbf16ps has it.
  static constexpr int column_of(int unit) { return unit ^ 1; }
};

}  // namespace

void gemm_unpack(const GemmUnpackArgs<uint16_t>& args) {
  walk_chunks<FloatMath>(args);
}
void gemm_unpack(const GemmUnpackArgs<float>& args) {
  walk_chunks<FloatMath>(args);
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
