// gemm_s8 with vpdpbusd. Up to 12 rows x 2 panels = 24 accumulators; per 4 k that is 2 weight loads and 12
// broadcasts for 24 products, so the two load ports stay below the two multiply ports. Few rows take 4
// panels, to have enough chains in flight; groups need a second, float, set of accumulators and so take 6
// rows.
#include "kernels/simd/vec16_avx512.h"
// After the vocabulary.
#include "kernels/gemm_s8/gemm_s8_inl.h"

namespace tessera::kernels::avx512 {
namespace {

inline constexpr int kMaxRows = 12;
inline constexpr int kMaxGroupedRows = 6;
inline constexpr int kFewRows = 3;

int64_t tile_rows(bool grouped) {
  return grouped ? kMaxGroupedRows : kMaxRows;
}
int64_t tile_panels(int64_t rows, bool) {
  return rows <= kFewRows ? 4 : 2;
}

/// acc += four products of unsigned weights and signed codes, in each of 16 columns. Not _mm512_dpbusd_epi32:
/// its casts between vector types make g++ 12 copy every accumulator twice per step (68 instead of 95 % of
/// peak).
inline __attribute__((always_inline)) void multiply_add(__m512i& acc, __m512i weights, __m512i codes) {
  asm("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(weights), "v"(codes));
}

inline __m512i broadcast4(const int8_t* p) {
  int32_t word;
  __builtin_memcpy(&word, p, sizeof(word));
  return _mm512_set1_epi32(word);
}

/// R rows through four base pointers: base + {0, 1, 2} * stride needs no further registers.
template <int R>
struct Rows {
  static constexpr int kBases = (R + 2) / 3;
  const int8_t* base[kBases];
  int64_t stride;

  Rows(const int8_t* first, int64_t stride_in) : stride(stride_in) {
#pragma GCC unroll 4
    for (int i = 0; i < kBases; ++i)
      base[i] = first + i * 3 * stride_in;
  }
  const int8_t* at(int row) const { return base[row / 3] + row % 3 * stride; }
  void advance(int64_t bytes) {
#pragma GCC unroll 4
    for (int i = 0; i < kBases; ++i)
      base[i] += bytes;
  }
};

/// acc[r][p] += weights[p] * the 4 codes of each row, `offset` bytes on.
template <int R, int P>
inline __attribute__((always_inline)) void step(const __m512i (&weights)[P], const Rows<R>& x, int offset,
                                                __m512i (&acc)[R][P]) {
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
    const __m512i codes = broadcast4(x.at(r) + offset);
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p)
      multiply_add(acc[r][p], weights[p], codes);
  }
}

/// `tiles` 64-byte tiles of P panels, `panel_bytes` apart; advances x.
template <int R, int P, int kBits>
inline __attribute__((always_inline)) void dot(const uint8_t* w, int64_t panel_bytes, int64_t tiles,
                                               Rows<R>& x, __m512i (&acc)[R][P]) {
  const __m512i low_nibbles = _mm512_set1_epi8(0x0f);
  for (int64_t t = 0; t < tiles; ++t) {
    __m512i raw[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p)
      raw[p] = _mm512_loadu_si512(w + p * panel_bytes);
    if constexpr (kBits == 8) {
      step<R, P>(raw, x, 0, acc);
    } else {
      __m512i half[P];
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p)
        half[p] = _mm512_and_si512(raw[p], low_nibbles);
      step<R, P>(half, x, 0, acc);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p)
        half[p] = _mm512_and_si512(_mm512_srli_epi16(raw[p], 4), low_nibbles);
      step<R, P>(half, x, 4, acc);
    }
    w += 64;
    x.advance(32 / kBits);
  }
}

template <int R, int P>
inline __attribute__((always_inline)) void start(const Tile& t, int64_t group, __m512i (&acc)[R][P]) {
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p)
      acc[r][p] = _mm512_set1_epi32(t.corrections[r * t.groups + group]);
  }
}

// Inlined and unrolled although it is rare: a call would put the accumulators into memory, in the hot loop
// too.
template <int R, int P>
inline __attribute__((always_inline)) void write_sums(const Tile& t, const __m512i (&acc)[R][P]) {
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      int32_t* to = t.sums + (t.row + r) * t.sums_stride + (t.panel + p) * kPanel;
      _mm512_mask_storeu_epi32(to, lane_mask(valid_columns(*t.args, t.panel + p)), acc[r][p]);
    }
  }
}

template <int R, int P, int kBits>
void channel_tile(const Tile& t) {
  const PackedS8& w = t.args->w;
  const int64_t panel_bytes = packed_s8_panel_bytes(w.k, kBits);
  Rows<R> x(t.args->x.codes + t.row * t.args->x.codes_stride, t.args->x.codes_stride);
  __m512i acc[R][P];
  start<R, P>(t, 0, acc);
  dot<R, P, kBits>(w.tiles + t.panel * panel_bytes, panel_bytes, panel_bytes / 64, x, acc);
  if (t.sums != nullptr) return write_sums<R, P>(t, acc);
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p)
      finish(t, t.row + r, t.panel + p, {_mm512_cvtepi32_ps(acc[r][p])});
  }
}

template <int R, int P, int kBits>
void grouped_tile(const Tile& t) {
  const PackedS8& w = t.args->w;
  const int64_t panel_bytes = packed_s8_panel_bytes(w.k, kBits);
  const int64_t group_bytes = w.group_size * kPanel * kBits / 8;
  const uint8_t* weights = w.tiles + t.panel * panel_bytes;
  const float* scales = w.scales + t.panel * kPanel;
  Rows<R> x(t.args->x.codes + t.row * t.args->x.codes_stride, t.args->x.codes_stride);
  __m512 total[R][P];
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p)
      total[r][p] = _mm512_setzero_ps();
  }
  for (int64_t group = 0; group < t.groups; ++group) {
    __m512i acc[R][P];
    start<R, P>(t, group, acc);
    dot<R, P, kBits>(weights, panel_bytes, group_bytes / 64, x, acc);
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      const __m512 scale = _mm512_loadu_ps(scales + p * kPanel);
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r)
        total[r][p] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc[r][p]), scale, total[r][p]);
    }
    weights += group_bytes;
    scales += padded_n(w.n);
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p)
      finish(t, t.row + r, t.panel + p, {total[r][p]});
  }
}

template <int R, int P>
void tile_of(const Tile& t) {
  const bool bytes = t.args->w.bits == 8;
  if (!t.grouped) return bytes ? channel_tile<R, P, 8>(t) : channel_tile<R, P, 4>(t);
  if constexpr (R <= kMaxGroupedRows) return bytes ? grouped_tile<R, P, 8>(t) : grouped_tile<R, P, 4>(t);
}

/// From run-time counts to template arguments.
template <int R>
void choose(const Tile& t, int64_t rows, int64_t panels) {
  if (rows == R) {
    if constexpr (R <= kFewRows) {
      if (panels == 4) return tile_of<R, 4>(t);
    }
    return panels == 2 ? tile_of<R, 2>(t) : tile_of<R, 1>(t);
  }
  if constexpr (R > 1) choose<R - 1>(t, rows, panels);
}

void tile(const Tile& t, int64_t rows, int64_t panels) {
  choose<kMaxRows>(t, rows, panels);
}

}  // namespace
}  // namespace tessera::kernels::avx512
