// gemm_s8 without VNNI, one panel (16 columns) at a time.
//
// 8 bits: both operands widened to 16 bits, vpmaddwd into 32 bits: exact. A register then holds 4 columns x 2
// partial
//   sums, so a panel takes 4 accumulators a row; they are added in pairs at the end.
// 4 bits: vpmaddubsw of unsigned nibbles and codes, summed in 16 bits and widened now and then. A sum of two
// products is
//   at most 15 * 128 * 2 = 3840 in magnitude for 8-bit codes and 15 * 8 * 2 = 240 for 4-bit ones. A tile (8
//   k) adds two of them to each lane, so 4 tiles (30720) and 64 tiles (30720) stay within 32767.
#include "kernels/simd/vec16_avx2.h"
// After the vocabulary.
#include "kernels/gemm_s8/gemm_s8_inl.h"

namespace tessera::kernels::avx2 {
namespace {

inline constexpr int kMaxRows = 4;
inline constexpr int64_t kTilesCodes8 = 4;
inline constexpr int64_t kTilesCodes4 = 64;

int64_t tile_rows(bool) {
  return kMaxRows;
}
int64_t tile_panels(int64_t, bool) {
  return 1;
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

template <int R>
inline void dot_bytes(const uint8_t* w, int64_t tiles, const int8_t* x, int64_t stride, Columns (&sums)[R]) {
  __m256i acc[R][4];
  for (int r = 0; r < R; ++r) {
    for (int q = 0; q < 4; ++q)
      acc[r][q] = _mm256_setzero_si256();
  }
  for (int64_t t = 0; t < tiles; ++t) {
    __m256i weights[4];
#pragma GCC unroll 4
    for (int q = 0; q < 4; ++q)
      weights[q] =
          _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w + t * 64 + q * 16)));
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      const __m256i codes = _mm256_cvtepi8_epi16(_mm_set1_epi32(word_at(x + r * stride + t * 4)));
#pragma GCC unroll 4
      for (int q = 0; q < 4; ++q)
        acc[r][q] = _mm256_add_epi32(acc[r][q], _mm256_madd_epi16(weights[q], codes));
    }
  }
  for (int r = 0; r < R; ++r) {
    // hadd works within 128-bit halves: columns 0 1 4 5 | 2 3 6 7.
    const __m256i lo = _mm256_permute4x64_epi64(_mm256_hadd_epi32(acc[r][0], acc[r][1]), 0xd8);
    const __m256i hi = _mm256_permute4x64_epi64(_mm256_hadd_epi32(acc[r][2], acc[r][3]), 0xd8);
    sums[r].lo = _mm256_add_epi32(sums[r].lo, lo);
    sums[r].hi = _mm256_add_epi32(sums[r].hi, hi);
  }
}

/// At most kTilesCodes4 or kTilesCodes8 tiles, in 16 bits.
template <int R>
inline __attribute__((always_inline)) void dot_nibbles_short(const uint8_t* w, int64_t tiles, const int8_t* x,
                                                             int64_t stride, Columns (&sums)[R]) {
  const __m256i low_nibbles = _mm256_set1_epi8(0x0f);
  __m256i acc[R][2];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r)
    acc[r][0] = acc[r][1] = _mm256_setzero_si256();
  for (int64_t t = 0; t < tiles; ++t) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      const __m256i raw = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w + t * 64 + h * 32));
      const __m256i first = _mm256_and_si256(raw, low_nibbles);
      const __m256i second = _mm256_and_si256(_mm256_srli_epi16(raw, 4), low_nibbles);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        const int8_t* codes = x + r * stride + t * 8;
        acc[r][h] =
            _mm256_add_epi16(acc[r][h], _mm256_maddubs_epi16(first, _mm256_set1_epi32(word_at(codes))));
        acc[r][h] =
            _mm256_add_epi16(acc[r][h], _mm256_maddubs_epi16(second, _mm256_set1_epi32(word_at(codes + 4))));
      }
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

inline void write_sums(const Tile& t, int64_t r, int64_t group, const Columns& sums) {
  int32_t* to = sums_at(t, t.row + r, t.panel, group);
  const int64_t n = valid_columns(*t.args, t.panel);
  _mm256_maskstore_epi32(to, lane_mask(n), sums.lo);
  if (n > 8) _mm256_maskstore_epi32(to + 8, lane_mask(n - 8), sums.hi);
}

/// What the sums of a group begin with.
inline Columns start(const Tile& t, int64_t r, int64_t group) {
  const PackedS8& w = t.args->w;
  const int64_t column = t.panel * kPanel;
  Columns sums;
  sums.lo = sums.hi = _mm256_set1_epi32(t.corrections[r * t.groups + group]);
  if (w.zeros != nullptr) {
    const uint8_t* from = w.zeros + group * padded_n(w.n) + column;
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

template <int R>
void tile_of(const Tile& t) {
  const PackedS8& w = t.args->w;
  const int64_t step = t.grouped ? w.group_size : padded_k(w.k);
  const int64_t tiles = step * w.bits / 32;
  const int64_t most = t.args->x_bits == 4 ? kTilesCodes4 : kTilesCodes8;
  const uint8_t* weights = w.tiles + t.panel * packed_s8_panel_bytes(w.k, w.bits);
  const int8_t* x = t.args->x.codes + t.row * t.args->x.codes_stride;
  Vec total[R];
  for (int r = 0; r < R; ++r)
    total[r] = zero();
  for (int64_t group = 0; group < t.groups; ++group, weights += tiles * 64, x += step) {
    Columns sums[R];
    for (int r = 0; r < R; ++r)
      sums[r] = start(t, r, group);
    if (w.bits == 8) {
      dot_bytes<R>(weights, tiles, x, t.args->x.codes_stride, sums);
    } else {
      dot_nibbles<R>(weights, tiles, most, x, t.args->x.codes_stride, sums);
    }
    const float* scale = w.scales + group * padded_n(w.n) + t.panel * kPanel;
    for (int r = 0; r < R; ++r) {
      if (t.sums != nullptr) {
        write_sums(t, r, group, sums[r]);
        continue;
      }
      Vec value{_mm256_cvtepi32_ps(sums[r].lo), _mm256_cvtepi32_ps(sums[r].hi)};
      if (t.args->x.group_size != 0) value = mul(value, set1(row_scale(t, t.row + r, group)));
      total[r] = t.grouped ? fma(value, load(scale), total[r]) : value;
    }
  }
  if (t.sums != nullptr) return;
  for (int r = 0; r < R; ++r)
    finish(t, t.row + r, t.panel, total[r]);
}

void tile(const Tile& t, int64_t rows, int64_t) {
  switch (rows) {
    case 1:
      return tile_of<1>(t);
    case 2:
      return tile_of<2>(t);
    case 3:
      return tile_of<3>(t);
    default:
      return tile_of<4>(t);
  }
}

}  // namespace

void gemm_s8(const GemmS8Args& args) {
  walk(args, nullptr);
}
void gemm_s8_sums(const GemmS8Args& args, const Sums& sums) {
  walk(args, &sums);
}

}  // namespace tessera::kernels::avx2
