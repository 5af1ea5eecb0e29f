// gemm_unpack with vdpbf16ps: weights become pairs of bf16. Few rows convert in registers, panel by panel, so
// that the packed weights are one stream; more rows convert once for all of them (gemm_unpack_inl.h).
#define TESSERA_ISA_NAMESPACE avx512bf16
#include "kernels/simd/vec16_avx512.h"
// After the vocabulary.
#include "kernels/gemm_unpack/gemm_unpack_inl.h"

namespace tessera::kernels::avx512bf16 {
namespace {

inline __m512bh as_pairs(__m512i bits) {
  return reinterpret_cast<__m512bh>(bits);
}
inline __m512bh broadcast_pair(const uint16_t* p) {
  int32_t pair;
  __builtin_memcpy(&pair, p, sizeof(pair));
  return as_pairs(_mm512_set1_epi32(pair));
}

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
  static constexpr int kPairs = 4;
  __m512i table = nibbles();
  explicit Unpacker(const int8_t*) {}
  __m512i pair(__m512i raw, int j) const {
    return _mm512_permutexvar_epi16(_mm512_srli_epi16(raw, static_cast<unsigned>(4 * j)), table);
  }
};
template <>
struct Unpacker<4, true> {
  static constexpr int kPairs = 4;
  __m512i table = integers();
  __m512i offset;  // index of code 0's entry: 16 - 8 - zero, in both halves
  explicit Unpacker(const int8_t* zeros) {
    const __m128i eight = _mm_loadu_si128(reinterpret_cast<const __m128i*>(zeros));
    const __m512i wide = _mm512_sub_epi32(_mm512_set1_epi32(8), _mm512_cvtepi8_epi32(eight));
    offset = _mm512_or_si512(wide, _mm512_slli_epi32(wide, 16));
  }
  __m512i pair(__m512i raw, int j) const {
    const __m512i shifted = _mm512_srli_epi16(raw, static_cast<unsigned>(4 * j));
    const __m512i code = _mm512_and_si512(shifted, _mm512_set1_epi16(0xf));
    return _mm512_permutexvar_epi16(_mm512_add_epi16(code, offset), table);
  }
};
template <bool kZeros>
struct Unpacker<8, kZeros> {
  static constexpr int kPairs = 2;
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
  __m512i pair(__m512i raw, int j) const {
    const __m512i even = _mm512_srli_epi32(as_float(raw, 2 * j), 16);
    return _mm512_mask_blend_epi16(0xaaaaaaaa, even, as_float(raw, 2 * j + 1));
  }
};

template <int kBits, bool kZeros>
void unpack_tiles(const uint8_t* tiles, int64_t count, const int8_t* zeros, uint16_t* out) {
  using Unpack = Unpacker<kBits, kZeros>;
  const Unpack unpacker(zeros);
  for (int64_t t = 0; t < count; ++t, tiles += 64) {
    const __m512i raw = _mm512_loadu_si512(tiles);
#pragma GCC unroll 4
    for (int j = 0; j < Unpack::kPairs; ++j, out += 2 * kPanel)
      _mm512_store_si512(out, unpacker.pair(raw, j));
  }
}

struct PairMath {
  using Weight = uint16_t;
  using Input = uint16_t;
  static constexpr int64_t kStretch = 512;
  static constexpr int64_t kInputs = 1;  // rows are read where they are

  static void unpack(const uint8_t* tiles, int64_t count, int bits, const int8_t* zeros, uint16_t* out) {
    if (bits == 4)
      return zeros == nullptr ? unpack_tiles<4, false>(tiles, count, zeros, out)
                              : unpack_tiles<4, true>(tiles, count, zeros, out);
    return zeros == nullptr ? unpack_tiles<8, false>(tiles, count, zeros, out)
                            : unpack_tiles<8, true>(tiles, count, zeros, out);
  }

  template <int R>
  struct Rows {
    const uint16_t* first;
    int64_t stride;
  };
  template <int R>
  static Rows<R> rows(const uint16_t* x, int64_t stride, int64_t, uint16_t*) {
    return {x, stride};
  }

  template <int R, int P>
  static inline __attribute__((always_inline)) void step(const uint16_t* w, const Rows<R>& x, int64_t k,
                                                         Accumulators<R, P>& acc) {
    __m512bh weights[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p)
      weights[p] = as_pairs(_mm512_load_si512(w + p * kStretch * kPanel));
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const __m512bh value = broadcast_pair(x.first + r * x.stride + k);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p)
        acc.at[r][p].v = _mm512_dpbf16_ps(acc.at[r][p].v, weights[p], value);
    }
  }
};

/// Up to so many rows convert in registers.
inline constexpr int kStreamRows = 8;
/// How far ahead of the loads.
inline constexpr int64_t kPrefetchBytes = 4096;

/// One panel of a few rows.
struct Stream {
  const GemmUnpackArgs<uint16_t>* args;
  int64_t panel;
  const uint8_t* tiles;  // of the panel
  int64_t block;         // columns of a block
};

/// B blocks from column k on, `tiles` tiles of each; x: column k of the first row.
template <int R, int B, int kBits, bool kZeros>
inline __attribute__((always_inline)) void stream_blocks(const Stream& s, int64_t k, int64_t tiles,
                                                         const uint16_t* x, int64_t x_stride,
                                                         Vec (&totals)[R]) {
  using Unpack = Unpacker<kBits, kZeros>;
  const PackedCodes& w = s.args->w;
  const int64_t first_group = s.panel * groups(w);
  const uint8_t* from = s.tiles + k * kPanel * kBits / 8;
  const int64_t block_bytes = s.block * kPanel * kBits / 8;
  const auto group = [&](int b) { return (first_group + group_of(w, k + b * s.block)) * kPanel; };
  Accumulators<R, B> acc;
  for (int64_t t = 0; t < tiles; ++t, from += 64) {
#pragma GCC unroll 4
    for (int b = 0; b < B; ++b) {
      const Unpack unpacker(kZeros ? w.zeros + group(b) : nullptr);
      const __m512i raw = _mm512_loadu_si512(from + b * block_bytes);
      _mm_prefetch(reinterpret_cast<const char*>(from + b * block_bytes + kPrefetchBytes), _MM_HINT_T0);
#pragma GCC unroll 4
      for (int j = 0; j < Unpack::kPairs; ++j) {
        const __m512bh weights = as_pairs(unpacker.pair(raw, j));
        const uint16_t* at = x + b * s.block + (t * Unpack::kPairs + j) * 2;
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r)
          acc.at[r][b].v = _mm512_dpbf16_ps(acc.at[r][b].v, weights, broadcast_pair(at + r * x_stride));
      }
    }
  }
#pragma GCC unroll 4
  for (int b = 0; b < B; ++b) {
    const Vec scale = load(w.scales + group(b));
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
      totals[r] = fma(acc.at[r][b], scale, totals[r]);
  }
}

template <int R, int kBits, bool kZeros>
void stream_panel(const Stream& s) {
  constexpr int kSideBySide = R <= 2 ? 4 : R <= 4 ? 2 : 1;
  const GemmUnpackArgs<uint16_t>& args = *s.args;
  const uint16_t* x = args.x + args.row_begin * args.x_stride;
  constexpr int64_t kTileK = codes_tile_k(kBits);
  Vec totals[R];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
    totals[r] = zero();
  int64_t k = 0;
  for (; k + kSideBySide * s.block <= args.w.k; k += kSideBySide * s.block)
    stream_blocks<R, kSideBySide, kBits, kZeros>(s, k, s.block / kTileK, x + k, args.x_stride, totals);
  for (; k + s.block <= args.w.k; k += s.block)
    stream_blocks<R, 1, kBits, kZeros>(s, k, s.block / kTileK, x + k, args.x_stride, totals);
  if (const int64_t left = args.w.k - k; left > 0) {
    // Rows end before the last tile does.
    uint16_t rest[R][128] = {};
    for (int r = 0; r < R; ++r)
      __builtin_memcpy(rest[r], x + k + r * args.x_stride, static_cast<size_t>(left) * sizeof(uint16_t));
    stream_blocks<R, 1, kBits, kZeros>(s, k, (left + kTileK - 1) / kTileK, rest[0], 128, totals);
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
    finish_row(args, args.row_begin + r, s.panel, totals[r]);
}

template <int R>
void stream(const GemmUnpackArgs<uint16_t>& args) {
  const PackedCodes& w = args.w;
  if (args.row_end - args.row_begin == R) {
    const bool zeros = w.zeros != nullptr;
    const auto run = w.bits == 4 ? (zeros ? stream_panel<R, 4, true> : stream_panel<R, 4, false>)
                                 : (zeros ? stream_panel<R, 8, true> : stream_panel<R, 8, false>);
    for (int64_t panel = args.panel_begin; panel < args.panel_end; ++panel)
      run({&args, panel, w.tiles + panel * packed_codes_panel_bytes(w.k, w.bits), sum_block(w.group_size)});
    return;
  }
  if constexpr (R > 1) stream<R - 1>(args);
}

}  // namespace

void gemm_unpack(const GemmUnpackArgs<uint16_t>& args) {
  const int64_t rows = args.row_end - args.row_begin;
  if (rows < 1) return;
  if (rows <= kStreamRows) return stream<kStreamRows>(args);
  walk_unpacked<PairMath>(args);
}

}  // namespace tessera::kernels::avx512bf16
