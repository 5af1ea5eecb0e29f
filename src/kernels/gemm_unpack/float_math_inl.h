// gemm_unpack in float32, for whichever vec16_*.h was included before: weights and rows of a stretch are
// widened once, so that the inner loop is that of a float32 GEMM. The including file gives
//   struct Words; Words load_words(const uint8_t*)     16 words of 32 bits
//   Vec field(Words, int shift, int mask)              (word >> shift & mask) of each, as float
#pragma once

// After the vocabulary.
#include "kernels/gemm_unpack/gemm_unpack_inl.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

template <int kBits>
inline void unpack_tiles(const uint8_t* tiles, int64_t count, Vec zero_code, float* out) {
  constexpr int kColumns = 32 / kBits;
  for (int64_t t = 0; t < count; ++t, tiles += 64, out += kColumns * kPanel) {
    const Words words = load_words(tiles);
#pragma GCC unroll 8
    for (int i = 0; i < kColumns; ++i) {
      const int shift = kBits == 8 ? i * 8 : i % 2 * 16 + i / 2 * 4;
      store(out + i * kPanel, sub(field(words, shift, (1 << kBits) - 1), zero_code));
    }
  }
}

/// count <= 256 columns as floats, one more 0 when that is odd.
inline void widen_row(const float* x, int64_t count, float* out) {
  for (int64_t i = 0; i < count; i += kLanes)
    store(out + i, load_n(x + i, count - i < kLanes ? count - i : kLanes));
}
inline void widen_row(const uint16_t* x, int64_t count, float* out) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    store(out + i, load_bf16(x + i));
  for (; i < count; ++i)
    out[i] = widen(x[i]);
  if (count % 2 != 0) out[count] = 0;
}

struct FloatMath {
  using Weight = float;
  using Input = float;
  static constexpr int64_t kStretch = 256;
  static constexpr int64_t kInputs = kTileRows * kStretch;

  /// `count` tiles -> [k][16] floats.
  static void unpack(const uint8_t* tiles, int64_t count, int bits, const int8_t* zeros, float* out) {
    float bias[kPanel];
    for (int64_t i = 0; i < kPanel; ++i)
      bias[i] = static_cast<float>((1 << (bits - 1)) + (zeros == nullptr ? 0 : zeros[i]));
    if (bits == 4) return unpack_tiles<4>(tiles, count, load(bias), out);
    unpack_tiles<8>(tiles, count, load(bias), out);
  }

  template <int R>
  struct Rows {
    const float* first;
  };
  template <int R, class X>
  static Rows<R> rows(const X* x, int64_t stride, int64_t count, float* input) {
    for (int r = 0; r < R; ++r)
      widen_row(x + r * stride, count, input + r * kStretch);
    return {input};
  }

  /// Columns k, k + 1 of the stretch.
  template <int R, int P>
  static inline __attribute__((always_inline)) void step(const float* w, const Rows<R>& x, int64_t k,
                                                         Accumulators<R, P>& acc) {
#pragma GCC unroll 2
    for (int i = 1; i >= 0; --i) {
      Vec weights[P];
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p)
        weights[p] = load(w + (p * kStretch + i) * kPanel);
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) {
        const Vec value = set1(x.first[r * kStretch + k + i]);
#pragma GCC unroll 4
        for (int p = 0; p < P; ++p)
          acc.at[r][p] = fma(value, weights[p], acc.at[r][p]);
      }
    }
  }
};

}  // namespace

void gemm_unpack(const GemmUnpackArgs<uint16_t>& args) {
  walk_unpacked<FloatMath>(args);
}
void gemm_unpack(const GemmUnpackArgs<float>& args) {
  walk_unpacked<FloatMath>(args);
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
