// gemm_s8 without VNNI.
//
// 8 bits: both operands widened to 16 bits, vpmaddwd into 32 bits: exact, also at -128 x -128, where
// vpmaddubsw would saturate. 16 products per multiply, so half of vpmaddubsw's rate; what vpmaddubsw needs to
// stay exact (vpsignb, or weights in two halves, and vpmaddwd after each) costs as many multiplies. The codes
// are widened once per 4 panels, so that the loop is loads, multiplies and additions: 6 rows x 8 columns = 12
// accumulators; 72 % of what vpmaddwd can do (Zen 5, where the additions compete for the same four pipes).
//
// 4 bits: vpmaddubsw of unsigned nibbles and codes, summed in 16 bits and widened now and then. A sum of two
// products is at most 15 * 128 * 2 = 3840 in magnitude for 8-bit codes and 15 * 8 * 2 = 240 for 4-bit ones. A
// tile (8 k) adds two of them to each lane, so 4 tiles (30720) and 64 tiles (30720) stay within 32767.
#include "kernels/simd/vec16_avx2.h"
// After the vocabulary.
#include "kernels/gemm_s8/gemm_s8_inl.h"
#include "kernels/gemm_s8/products_avx2.h"

namespace tessera::kernels::avx2 {
namespace {

inline constexpr int kMaxRows8 = 6;
inline constexpr int kMaxRows4 = 4;
inline constexpr int kMaxPanels8 = 4;
inline constexpr int64_t kTilesCodes8 = 4;
inline constexpr int64_t kTilesCodes4 = 64;
static_assert(kTilesCodes8 * 2 * 15 * 128 * 2 <= 32767 && kTilesCodes4 * 2 * 15 * 8 * 2 <= 32767);
/// Columns that are widened at a time: 6 rows of them take 12 KiB of the first-level cache.
inline constexpr int64_t kWidened = 1024;
/// From row to row of them: not a power of two, so that the rows spread over the sets of the cache.
inline constexpr int64_t kWidenedStride = kWidened + 32;

int64_t tile_rows(const PackedS8& w) {
  return w.bits == 8 ? kMaxRows8 : kMaxRows4;
}
int64_t tile_panels(int64_t, const PackedS8& w) {
  return w.bits == 8 ? kMaxPanels8 : 1;
}

/// The 32-bit sums of 16 columns.
struct Columns {
  __m256i lo, hi;
};

inline int32_t word_at(const int8_t* p) {
  int32_t word;
  __builtin_memcpy(&word, p, sizeof(word));
  return word;
}
inline long long four_at(const int16_t* p) {
  long long four;
  __builtin_memcpy(&four, p, sizeof(four));
  return four;
}

/// count codes, a multiple of 32, of R rows as 16 bits, kWidenedStride apart.
template <int R>
inline void widen_codes(const int8_t* x, int64_t stride, int64_t count, int16_t* to) {
  for (int r = 0; r < R; ++r) {
    for (int64_t k = 0; k < count; k += 16) {
      const __m128i codes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + r * stride + k));
      _mm256_store_si256(reinterpret_cast<__m256i*>(to + r * kWidenedStride + k),
                         _mm256_cvtepi8_epi16(codes));
    }
  }
}

/// The 8 columns from `w` on, in every tile: a register of 16-bit weights holds 4 columns x 4 k, a sum 4
/// columns x 2 partial sums.
template <int R>
inline __attribute__((always_inline)) void dot_half(const uint8_t* w, int64_t tiles, const int16_t* x,
                                                    __m256i (&acc)[R][2]) {
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r)
    acc[r][0] = acc[r][1] = _mm256_setzero_si256();
  for (int64_t t = 0; t < tiles; ++t) {
    const auto* from = reinterpret_cast<const __m128i*>(w + t * 64);
    const __m256i a = _mm256_cvtepu8_epi16(_mm_loadu_si128(from));
    const __m256i b = _mm256_cvtepu8_epi16(_mm_loadu_si128(from + 1));
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const __m256i codes = _mm256_set1_epi64x(four_at(x + r * kWidenedStride + t * 4));
      add_products16(acc[r][0], a, codes);
      add_products16(acc[r][1], b, codes);
    }
  }
}

/// Adds the partial sums of 8 columns.
inline __m256i add_pairs(__m256i sums, const __m256i (&acc)[2]) {
  // hadd works within 128-bit halves: columns 0 1 4 5 | 2 3 6 7.
  return _mm256_add_epi32(sums, _mm256_permute4x64_epi64(_mm256_hadd_epi32(acc[0], acc[1]), 0xd8));
}

template <int R>
inline void dot_bytes(const uint8_t* w, int64_t tiles, const int16_t* x, Columns (&sums)[R]) {
  __m256i acc[R][2];
  dot_half<R>(w, tiles, x, acc);
  // Unrolled, like every loop over the accumulators: an index that varies puts them into memory.
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r)
    sums[r].lo = add_pairs(sums[r].lo, acc[r]);
  dot_half<R>(w + 32, tiles, x, acc);
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r)
    sums[r].hi = add_pairs(sums[r].hi, acc[r]);
}

/// Weights of one half of a tile: the first four k and the second.
struct Nibbles {
  __m256i first, second;
};
inline Nibbles nibbles_at(const uint8_t* w) {
  const __m256i mask = _mm256_set1_epi8(0x0f);
  const __m256i raw = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w));
  return {_mm256_and_si256(raw, mask), _mm256_and_si256(_mm256_srli_epi16(raw, 4), mask)};
}

/// At most kTilesCodes4 or kTilesCodes8 tiles, in 16 bits.
template <int R>
inline __attribute__((always_inline)) void dot_nibbles_short(const uint8_t* w, int64_t tiles, const int8_t* x,
                                                             int64_t stride, Columns (&sums)[R]) {
  __m256i acc[R][2];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r)
    acc[r][0] = acc[r][1] = _mm256_setzero_si256();
  for (int64_t t = 0; t < tiles; ++t) {
    const Nibbles lo = nibbles_at(w + t * 64), hi = nibbles_at(w + t * 64 + 32);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const __m256i first = _mm256_set1_epi32(word_at(x + r * stride + t * 8));
      add_products8(acc[r][0], lo.first, first);
      add_products8(acc[r][1], hi.first, first);
      const __m256i second = _mm256_set1_epi32(word_at(x + r * stride + t * 8 + 4));
      add_products8(acc[r][0], lo.second, second);
      add_products8(acc[r][1], hi.second, second);
    }
  }
  const __m256i ones = _mm256_set1_epi16(1);
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r) {
    sums[r].lo = _mm256_add_epi32(sums[r].lo, _mm256_madd_epi16(acc[r][0], ones));
    sums[r].hi = _mm256_add_epi32(sums[r].hi, _mm256_madd_epi16(acc[r][1], ones));
  }
}

template <int R>
inline void dot_nibbles(const uint8_t* w, int64_t tiles, int64_t most, const int8_t* x, int64_t stride,
                        Columns (&sums)[R]) {
  for (int64_t t = 0; t < tiles; t += most) {
    const int64_t count = tiles - t < most ? tiles - t : most;
    dot_nibbles_short<R>(w + t * 64, count, x + t * 8, stride, sums);
  }
}

inline void write_sums(const Tile& t, int64_t r, int64_t panel, int64_t group, const Columns& sums) {
  int32_t* to = sums_at(t, t.row + r, panel, group);
  const int64_t n = valid_columns(*t.args, panel);
  _mm256_maskstore_epi32(to, lane_mask(n), sums.lo);
  if (n > 8) _mm256_maskstore_epi32(to + 8, lane_mask(n - 8), sums.hi);
}

/// What the sums of a group begin with.
inline Columns start(const Tile& t, int64_t r, int64_t panel, int64_t group) {
  const PackedS8& w = t.args->w;
  const int64_t column = panel * kPanel;
  Columns sums;
  sums.lo = sums.hi = _mm256_set1_epi32(t.corrections[r * t.groups + group]);
  if (w.zeros != nullptr) {
    const uint8_t* from = w.zeros + group_at(t, panel, group);
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
    sums.lo = _mm256_mullo_epi32(sums.lo, _mm256_cvtepu8_epi32(bytes));
    sums.hi = _mm256_mullo_epi32(sums.hi, _mm256_cvtepu8_epi32(_mm_srli_si128(bytes, 8)));
  }
  if (w.offsets != nullptr) {
    const auto* from = reinterpret_cast<const __m256i*>(w.offsets + column);
    sums.lo = _mm256_add_epi32(sums.lo, _mm256_loadu_si256(from));
    sums.hi = _mm256_add_epi32(sums.hi, _mm256_loadu_si256(from + 1));
  }
  return sums;
}

/// The sums of columns k_begin .. k_end of P panels and R rows.
template <int R, int P>
inline void dot(const Tile& t, int64_t k_begin, int64_t k_end, Columns (&sums)[P][R]) {
  const PackedS8& w = t.args->w;
  const int64_t panel_bytes = packed_s8_panel_bytes(w.k, w.bits), stride = t.args->x.codes_stride;
  const uint8_t* weights = w.tiles + t.panel * panel_bytes;
  const int8_t* x = t.args->x.codes + t.row * stride;
  if constexpr (R <= kMaxRows4 && P == 1) {
    if (w.bits == 4) {
      const int64_t most = t.args->x_bits == 4 ? kTilesCodes4 : kTilesCodes8;
      return dot_nibbles<R>(weights + k_begin * 8, (k_end - k_begin) / 8, most, x + k_begin, stride, sums[0]);
    }
  }
  alignas(32) int16_t codes[R * kWidenedStride];
  for (int64_t k = k_begin; k < k_end; k += kWidened) {
    const int64_t count = k_end - k < kWidened ? k_end - k : kWidened;
    widen_codes<R>(x + k, stride, count, codes);
    for (int p = 0; p < P; ++p)
      dot_bytes<R>(weights + p * panel_bytes + k * kPanel, count / 4, codes, sums[p]);
  }
}

/// A group's sums into the totals.
template <int R, int P>
inline void add_group(const Tile& t, int64_t group, const Columns (&sums)[P][R], Vec (&total)[P][R]) {
  const PackedS8& w = t.args->w;
  for (int p = 0; p < P; ++p) {
    const float* scales = w.scales + group_at(t, t.panel + p, group);
    for (int r = 0; r < R; ++r) {
      Vec value{_mm256_cvtepi32_ps(sums[p][r].lo), _mm256_cvtepi32_ps(sums[p][r].hi)};
      if (t.args->x.group_size != 0) value = mul(value, set1(row_scale(t, t.row + r, group)));
      total[p][r] = t.grouped ? fma(value, load(scales), total[p][r]) : value;
    }
  }
}

template <int R, int P>
void tile_of(const Tile& t) {
  const int64_t step = t.grouped ? t.args->w.group_size : padded_k(t.args->w.k);
  Vec total[P][R];
  for (int p = 0; p < P; ++p) {
    for (int r = 0; r < R; ++r)
      total[p][r] = zero();
  }
  for (int64_t group = 0; group < t.groups; ++group) {
    Columns sums[P][R];
    for (int p = 0; p < P; ++p) {
      for (int r = 0; r < R; ++r)
        sums[p][r] = start(t, r, t.panel + p, group);
    }
    dot<R, P>(t, group * step, (group + 1) * step, sums);
    if (t.sums == nullptr) {
      add_group<R, P>(t, group, sums, total);
      continue;
    }
    for (int p = 0; p < P; ++p) {
      for (int r = 0; r < R; ++r)
        write_sums(t, r, t.panel + p, group, sums[p][r]);
    }
  }
  if (t.sums != nullptr) return;
  for (int p = 0; p < P; ++p) {
    for (int r = 0; r < R; ++r)
      finish(t, t.row + r, t.panel + p, total[p][r]);
  }
}

/// From run-time counts to template arguments.
template <int R>
void choose(const Tile& t, int64_t rows, int64_t panels) {
  if (rows == R) return panels == 4 ? tile_of<R, 4>(t) : panels == 2 ? tile_of<R, 2>(t) : tile_of<R, 1>(t);
  if constexpr (R > 1) choose<R - 1>(t, rows, panels);
}

void tile(const Tile& t, int64_t rows, int64_t panels) {
  choose<kMaxRows8>(t, rows, panels);
}

}  // namespace

void gemm_s8(const GemmS8Args& args) {
  walk(args, nullptr);
}
void gemm_s8_sums(const GemmS8Args& args, const Sums& sums) {
  walk(args, &sums);
}

}  // namespace tessera::kernels::avx2
