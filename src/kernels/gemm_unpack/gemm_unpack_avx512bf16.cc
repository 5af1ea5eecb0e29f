// gemm_unpack with vdpbf16ps: weights become pairs of bf16 in registers, anew for every 12 rows. That is 14
// to 36 instructions for 96 products of 12 rows, on other ports than theirs; unpacking once for all rows, to
// the L1 cache, was slower for every number of rows (Zen 5: 4 bits, 16 rows, weights from memory: 49 instead
// of 84 % of peak; 512 rows: 79 instead of 82 %).
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

/// Panels and blocks side by side: vdpbf16ps takes 6 cycles and there are 2 a cycle, so 12 sums keep it busy;
/// two panels share the loads of many rows.
template <int R>
inline constexpr int kStreamPanels = R == 1 ? 1 : 2;
template <int R>
inline constexpr int kStreamBlocks = R <= 2   ? 4
                                     : R <= 4 ? 2
                                              : 1;
/// How far ahead of the loads memory is fetched, in its order: two panels that are read side by side are
/// fetched one after the other, while the two before them are used, unless that is more than the L2 cache
/// should hold.
inline constexpr int64_t kAheadBytes = 8192;
inline constexpr int64_t kMostAheadBytes = 256 << 10;

/// Some panels of a few rows.
struct Stream {
  const GemmUnpackArgs<uint16_t>* args;
  int64_t row, panel;
  const uint8_t* tiles;  // of the first panel
  int64_t panel_bytes;
  int64_t block;      // columns of a block
  const char* ahead;  // what is fetched next
};

/// Adjacent blocks of columns from k on, whose tiles alternate. x: column k of the first row.
struct Blocks {
  int64_t k;
  TileRun tiles;  // of the first block
  const uint16_t* x;
  int64_t x_stride;
};

/// Adds B blocks.
template <int R, int P, int B, int kBits, bool kZeros>
inline __attribute__((always_inline)) void stream_blocks(Stream& s, const Blocks& blocks,
                                                         Accumulators<R, P>& totals) {
  using Unpack = Unpacker<kBits, kZeros>;
  const PackedCodes& w = s.args->w;
  const auto group = [&](int p, int b) {
    return ((s.panel + p) * groups(w) + group_of(w, blocks.k + b * s.block)) * kPanel;
  };
  const uint8_t* from = blocks.tiles.first;
  const uint16_t* x = blocks.x;
  const char* ahead = s.ahead;
  Accumulators<R, P> acc[B];
  for (int64_t t = 0; t < blocks.tiles.count; ++t) {
#pragma GCC unroll 4
    for (int b = 0; b < B; ++b) {
      __m512i raw[P];
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) {
        raw[p] = _mm512_loadu_si512(from + b * 64 + p * s.panel_bytes);
        _mm_prefetch(ahead + (b * P + p) * 64, _MM_HINT_T0);
      }
#pragma GCC unroll 4
      for (int j = 0; j < Unpack::kPairs; ++j) {
        __m512bh weights[P];
#pragma GCC unroll 2
        for (int p = 0; p < P; ++p) {
          const Unpack unpacker(kZeros ? w.zeros + group(p, b) : nullptr);
          weights[p] = as_pairs(unpacker.pair(raw[p], j));
        }
#pragma GCC unroll 12
        for (int r = 0; r < R; ++r) {
          const __m512bh value = broadcast_pair(x + b * s.block + r * blocks.x_stride + 2 * j);
#pragma GCC unroll 2
          for (int p = 0; p < P; ++p)
            acc[b].at[r][p].v = _mm512_dpbf16_ps(acc[b].at[r][p].v, weights[p], value);
        }
      }
    }
    from += blocks.tiles.step;
    x += 2 * Unpack::kPairs;
    ahead += B * P * 64;
  }
  s.ahead = ahead;
#pragma GCC unroll 4
  for (int b = 0; b < B; ++b) {
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) {
      const Vec scale = load(w.scales + group(p, b));
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r)
        totals.at[r][p] = fma(acc[b].at[r][p], scale, totals.at[r][p]);
    }
  }
}

/// The whole blocks from column k on, in strips of W, then of fewer; a strip in steps of B blocks. Returns
/// where it stopped: less than a block is left.
template <int R, int P, int W, int kBits, bool kZeros>
inline __attribute__((always_inline)) int64_t stream_strips(Stream& s, int64_t k,
                                                            Accumulators<R, P>& totals) {
  constexpr int B = kStreamBlocks<R> < W ? kStreamBlocks<R> : W;
  const GemmUnpackArgs<uint16_t>& args = *s.args;
  const uint16_t* x = args.x + s.row * args.x_stride;
  const int64_t tiles = s.block / codes_tile_k(kBits);
  for (; k + W * s.block <= args.w.k; k += W * s.block) {
    const uint8_t* strip = s.tiles + k / codes_tile_k(kBits) * 64;
    for (int b = 0; b < W; b += B) {
      const int64_t column = k + b * s.block;
      stream_blocks<R, P, B, kBits, kZeros>(
          s, {column, {strip + b * 64, tiles, W * 64}, x + column, args.x_stride}, totals);
    }
  }
  if constexpr (W > 1) k = stream_strips<R, P, W / 2, kBits, kZeros>(s, k, totals);
  return k;
}

template <int R, int P, int kBits, bool kZeros>
void stream_panels(Stream s) {
  const GemmUnpackArgs<uint16_t>& args = *s.args;
  Accumulators<R, P> totals;
  const int64_t k = stream_strips<R, P, 4, kBits, kZeros>(s, 0, totals);
  if (const int64_t left = args.w.k - k; left > 0) {
    // Rows end before the last tile does.
    uint16_t rest[R][128] = {};
    for (int r = 0; r < R; ++r)
      __builtin_memcpy(rest[r], args.x + (s.row + r) * args.x_stride + k,
                       static_cast<size_t>(left) * sizeof(uint16_t));
    const int64_t step = codes_tile_k(kBits);
    stream_blocks<R, P, 1, kBits, kZeros>(
        s, {k, {s.tiles + k / step * 64, (left + step - 1) / step, 64}, rest[0], 128}, totals);
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p)
      finish_row(args, s.row + r, s.panel + p, totals.at[r][p]);
  }
}

/// From a run-time count of rows to a template argument.
template <int R, int P>
void stream_rows(const Stream& s, int64_t rows) {
  if (rows != R) {
    if constexpr (R > 1) stream_rows<R - 1, P>(s, rows);
    return;
  }
  const PackedCodes& w = s.args->w;
  const bool zeros = w.zeros != nullptr;
  if (w.bits == 4) return zeros ? stream_panels<R, P, 4, true>(s) : stream_panels<R, P, 4, false>(s);
  return zeros ? stream_panels<R, P, 8, true>(s) : stream_panels<R, P, 8, false>(s);
}

void stream(const GemmUnpackArgs<uint16_t>& args, int64_t row, int64_t rows) {
  const PackedCodes& w = args.w;
  const int64_t bytes = packed_codes_panel_bytes(w.k, w.bits), block = sum_block(w.group_size);
  const int64_t most_panels = rows == 1 ? 1 : 2;
  const int64_t blocks = (rows + kTileRows - 1) / kTileRows;
  const int64_t small = rows / blocks, larger = rows % blocks;
  for (int64_t panel = args.panel_begin; panel < args.panel_end;) {
    const int64_t panels = panel + most_panels <= args.panel_end ? most_panels : 1;
    const uint8_t* tiles = w.tiles + panel * bytes;
    const int64_t distance = panels > 1 && panels * bytes <= kMostAheadBytes ? panels * bytes : kAheadBytes;
    Stream s{&args, row, panel, tiles, bytes, block, reinterpret_cast<const char*>(tiles) + distance};
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t count = small + (b < larger ? 1 : 0);
      panels == 2 ? stream_rows<kTileRows, 2>(s, count) : stream_rows<kTileRows, 1>(s, count);
      s.row += count;
    }
    panel += panels;
  }
}

}  // namespace

void gemm_unpack(const GemmUnpackArgs<uint16_t>& args) {
  const int64_t chunk =
      chunk_rows(args.row_end - args.row_begin, args.w.k * static_cast<int64_t>(sizeof(uint16_t)));
  for (int64_t row = args.row_begin; row < args.row_end; row += chunk)
    stream(args, row, row + chunk < args.row_end ? chunk : args.row_end - row);
}

}  // namespace tessera::kernels::avx512bf16
