// gemm_unpack with vdpbf16ps: a unit is a pair of columns, and weights become pairs of bf16. 14 to 36
// instructions unpack the weights of 96 products of 12 rows, on other ports than theirs.
#define TESSERA_ISA_NAMESPACE avx512bf16
#include "kernels/simd/vec16_avx512.h"
// After the vocabulary.
#include "kernels/gemm_unpack/gemm_unpack_inl.h"

namespace tessera::kernels::avx512bf16 {
namespace {

/// bf16 of -16..15. Only the low 5 bits of an index count, so with entries from -8..7 twice, a nibble needs
/// no masking.
inline __m512i integers() {
  return _mm512_setr_epi32(0xc170c180, 0xc150c160, 0xc130c140, 0xc110c120, 0xc0e0c100, 0xc0a0c0c0, 0xc040c080,
                           0xbf80c000, 0x3f800000, 0x40404000, 0x40a04080, 0x40e040c0, 0x41104100, 0x41304120,
                           0x41504140, 0x41704160);
}
inline __m512i nibbles() {
  return _mm512_setr_epi32(0xc0e0c100, 0xc0a0c0c0, 0xc040c080, 0xbf80c000, 0x3f800000, 0x40404000, 0x40a04080,
                           0x40e040c0, 0xc0e0c100, 0xc0a0c0c0, 0xc040c080, 0xbf80c000, 0x3f800000, 0x40404000,
                           0x40a04080, 0x40e040c0);
}

/// A tile's 64 bytes -> pairs of bf16. `zeros`: 16 zero points or null.
template <int kBits, bool kZeros>
struct Unpacker;

template <>
struct Unpacker<4, false> {
  static constexpr int kUnits = 4;
  __m512i table = nibbles();
  explicit Unpacker(const int8_t*) {}
  __m512i operand(__m512i raw, int j) const {
    return _mm512_permutexvar_epi16(_mm512_srli_epi16(raw, static_cast<unsigned>(4 * j)), table);
  }
};
template <>
struct Unpacker<4, true> {
  static constexpr int kUnits = 4;
  __m512i table = integers();
  __m512i offset;  // index of code 0's entry: 16 - 8 - zero, in both halves
  explicit Unpacker(const int8_t* zeros) {
    const __m128i eight = _mm_loadu_si128(reinterpret_cast<const __m128i*>(zeros));
    const __m512i wide = _mm512_sub_epi32(_mm512_set1_epi32(8), _mm512_cvtepi8_epi32(eight));
    offset = _mm512_or_si512(wide, _mm512_slli_epi32(wide, 16));
  }
  __m512i operand(__m512i raw, int j) const {
    const __m512i shifted = _mm512_srli_epi16(raw, static_cast<unsigned>(4 * j));
    const __m512i code = _mm512_and_si512(shifted, _mm512_set1_epi16(0xf));
    return _mm512_permutexvar_epi16(_mm512_add_epi16(code, offset), table);
  }
};
template <bool kZeros>
struct Unpacker<8, kZeros> {
  static constexpr int kUnits = 2;
  __m512i bias;  // what is subtracted from the unsigned byte
  explicit Unpacker(const int8_t* zeros) {
    bias = _mm512_set1_epi32(128);
    if constexpr (kZeros) {
      const __m128i eight = _mm_loadu_si128(reinterpret_cast<const __m128i*>(zeros));
      bias = _mm512_add_epi32(bias, _mm512_cvtepi8_epi32(eight));
    }
  }
  /// An integer of at most 8 bits has its float in the upper 16 bits.
  __m512i as_float(__m512i raw, int byte) const {
    const __m512i shifted = _mm512_srli_epi32(raw, static_cast<unsigned>(8 * byte));
    const __m512i code = _mm512_and_si512(shifted, _mm512_set1_epi32(0xff));
    return _mm512_castps_si512(_mm512_cvtepi32_ps(_mm512_sub_epi32(code, bias)));
  }
  __m512i operand(__m512i raw, int j) const {
    const __m512i even = _mm512_srli_epi32(as_float(raw, 2 * j), 16);
    return _mm512_mask_blend_epi16(0xaaaaaaaa, even, as_float(raw, 2 * j + 1));
  }
};

struct PairMath {
  using Input = uint16_t;
  using Raw = __m512i;
  using Operand = __m512i;
  static constexpr int64_t kInputColumns = kMostBlock;
  template <int kBits, bool kZeros>
  using Unpack = Unpacker<kBits, kZeros>;

  static Raw load_raw(const uint8_t* p) { return _mm512_loadu_si512(p); }

  /// Rows are read where they are, but for what ends before a tile does.
  static Rows<uint16_t> rows(const Call& call, int64_t row, int64_t count, int64_t k, int64_t columns,
                             uint16_t* input) {
    const uint16_t* x = static_cast<const uint16_t*>(call.x) + row * call.x_stride + k;
    if (columns % kTileColumns == 0) return {x, call.x_stride};
    for (int64_t r = 0; r < count; ++r) {
      uint16_t* to = input + r * kInputColumns;
      __builtin_memcpy(to, x + r * call.x_stride, static_cast<size_t>(columns) * sizeof(uint16_t));
      __builtin_memset(to + columns, 0, static_cast<size_t>(kInputColumns - columns) * sizeof(uint16_t));
    }
    return {input, kInputColumns};
  }

  static inline __attribute__((always_inline)) __m512i value(const uint16_t* tile, int unit) {
    int32_t pair;
    __builtin_memcpy(&pair, tile + 2 * unit, sizeof(pair));
    return _mm512_set1_epi32(pair);
  }
  static inline __attribute__((always_inline)) Vec multiply_add(Vec acc, Operand weights, __m512i x) {
    return {_mm512_dpbf16_ps(acc.v, reinterpret_cast<__m512bh>(weights), reinterpret_cast<__m512bh>(x))};
  }
};

}  // namespace

void gemm_unpack(const GemmUnpackArgs<uint16_t>& args) {
  walk_chunks<PairMath>(args);
}

}  // namespace tessera::kernels::avx512bf16
