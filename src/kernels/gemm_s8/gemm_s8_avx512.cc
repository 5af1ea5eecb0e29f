// gemm_s8 with vpdpbusd. Up to 12 rows x 2 panels = 24 accumulators; per 4 k that is 2 weight loads and 12
// broadcasts for 24 products, so the two load ports stay below the two multiply ports. Groups need a second,
// float, set of accumulators and so take 6 rows. Few rows are bound by memory and take one panel after the
// other, so that the weights are read front to back in one stream.
#include "kernels/simd/vec16_avx512.h"
// After the vocabulary.
#include "kernels/gemm_s8/gemm_s8_inl.h"
#include "kernels/gemm_s8/products_avx512.h"

namespace tessera::kernels::avx512 {
namespace {

inline constexpr int kMaxRows = 12;
inline constexpr int kMaxGroupedRows = 6;
inline constexpr int kStreamRows = 6;         // up to here one panel at a time
inline constexpr int kGroupedStreamRows = 4;  // the same with groups
/// How far ahead of the loads of a stream.
inline constexpr int64_t kPrefetchBytes = 4096;

int64_t tile_rows(const PackedS8& w) {
  return w.group_size != 0 ? kMaxGroupedRows : kMaxRows;
}
int64_t tile_panels(int64_t rows, const PackedS8& w) {
  return rows <= (w.group_size != 0 ? kGroupedStreamRows : kStreamRows) ? 1 : 2;
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
inline __attribute__((always_inline)) void dot(const uint8_t* w, const uint8_t* ahead, int64_t ahead_step,
                                               int64_t panel_bytes, int64_t tiles, Rows<R>& x,
                                               __m512i (&acc)[R][P]) {
  const __m512i low_nibbles = _mm512_set1_epi8(0x0f);
  for (int64_t t = 0; t < tiles; ++t) {
    __m512i raw[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p)
      raw[p] = _mm512_loadu_si512(w + p * panel_bytes);
    if constexpr (R <= kGroupedStreamRows && P == 1) {
      _mm_prefetch(reinterpret_cast<const char*>(w + kPrefetchBytes), _MM_HINT_T0);
    } else {
      // Worth 4-8 points of peak at 512 x 2048 x 6144, where the next weights come from far away.
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p)
        _mm_prefetch(reinterpret_cast<const char*>(ahead + p * ahead_step + t * 64), _MM_HINT_T1);
    }
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

/// 4 consecutive tiles of one panel.
template <int R, int kBits>
inline __attribute__((always_inline)) void stream_step(const uint8_t* w, const Rows<R>& x,
                                                       __m512i (&acc)[R][4]) {
  const __m512i low_nibbles = _mm512_set1_epi8(0x0f);
#pragma GCC unroll 6
  for (int u = 0; u < 4; ++u) {
    const __m512i raw = _mm512_loadu_si512(w + u * 64);
    _mm_prefetch(reinterpret_cast<const char*>(w + u * 64 + kPrefetchBytes), _MM_HINT_T0);
    const __m512i low = kBits == 8 ? raw : _mm512_and_si512(raw, low_nibbles);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r)
      multiply_add(acc[r][u], low, broadcast4(x.at(r) + u * 32 / kBits));
    if constexpr (kBits == 4) {
      const __m512i high = _mm512_and_si512(_mm512_srli_epi16(raw, 4), low_nibbles);
#pragma GCC unroll 6
      for (int r = 0; r < R; ++r)
        multiply_add(acc[r][u], high, broadcast4(x.at(r) + u * 8 + 4));
    }
  }
}

/// What the sums of a group begin with.
template <int R, int P>
inline __attribute__((always_inline)) void start(const Tile& t, int64_t group, __m512i (&acc)[R][P]) {
  const PackedS8& w = t.args->w;
  const int64_t column = t.panel * kPanel;
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p)
      acc[r][p] = _mm512_set1_epi32(t.corrections[r * t.groups + group]);
  }
  if (w.zeros != nullptr) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      const uint8_t* from = w.zeros + group_at(t, t.panel + p, group);
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
      const __m512i zeros = _mm512_cvtepu8_epi32(bytes);
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r)
        acc[r][p] = _mm512_mullo_epi32(acc[r][p], zeros);
    }
  }
  if (w.offsets != nullptr) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      const __m512i offsets = _mm512_loadu_si512(w.offsets + column + p * kPanel);
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r)
        acc[r][p] = _mm512_add_epi32(acc[r][p], offsets);
    }
  }
}

// Inlined and unrolled although it is rare: a call would put the accumulators into memory, in the hot loop
// too.
template <int R, int P>
inline __attribute__((always_inline)) void write_sums(const Tile& t, int64_t group,
                                                      const __m512i (&acc)[R][P]) {
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      _mm512_mask_storeu_epi32(sums_at(t, t.row + r, t.panel + p, group),
                               lane_mask(valid_columns(*t.args, t.panel + p)), acc[r][p]);
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
  dot<R, P, kBits>(w.tiles + t.panel * panel_bytes, t.ahead, t.ahead_step, panel_bytes, panel_bytes / 64, x,
                   acc);
  if (t.sums != nullptr) return write_sums<R, P>(t, 0, acc);
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p)
      finish(t, t.row + r, t.panel + p, {_mm512_cvtepi32_ps(acc[r][p])});
  }
}

/// Few rows without groups, 4 accumulators a row for consecutive tiles. Against 4 panels side by side (Zen 5,
/// one core, weights from memory, of the bandwidth): one row of 4 bits 98 instead of 75 %, two 90 instead of
/// 70 %, six of 8 bits 90 instead of 63 %.
template <int R, int kBits>
void stream_tile(const Tile& t) {
  constexpr int64_t kUnroll = 4;
  const PackedS8& w = t.args->w;
  const int64_t panel_bytes = packed_s8_panel_bytes(w.k, kBits);
  const uint8_t* weights = w.tiles + t.panel * panel_bytes;
  Rows<R> x(t.args->x.codes + t.row * t.args->x.codes_stride, t.args->x.codes_stride);
  __m512i sums[R][1];
  start<R, 1>(t, 0, sums);
  __m512i acc[R][kUnroll];
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
    acc[r][0] = sums[r][0];
    acc[r][1] = acc[r][2] = acc[r][3] = _mm512_setzero_si512();
  }
  // padded_k is a multiple of 64, so there are 8 or 16 tiles or a multiple of that.
  for (int64_t at = 0; at < panel_bytes; at += kUnroll * 64) {
    stream_step<R, kBits>(weights + at, x, acc);
    x.advance(kUnroll * 32 / kBits);
  }
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r)
    sums[r][0] =
        _mm512_add_epi32(_mm512_add_epi32(acc[r][0], acc[r][1]), _mm512_add_epi32(acc[r][2], acc[r][3]));
  if (t.sums != nullptr) return write_sums<R, 1>(t, 0, sums);
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r)
    finish(t, t.row + r, t.panel, {_mm512_cvtepi32_ps(sums[r][0])});
}

template <int R, int P, int kBits>
void grouped_tile(const Tile& t) {
  const PackedS8& w = t.args->w;
  const int64_t panel_bytes = packed_s8_panel_bytes(w.k, kBits);
  const int64_t group_bytes = w.group_size * kPanel * kBits / 8;
  const uint8_t* weights = w.tiles + t.panel * panel_bytes;
  const float* scales = w.scales + group_at(t, t.panel, 0);
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
    if constexpr (R <= kGroupedStreamRows && P == 1)
      _mm_prefetch(reinterpret_cast<const char*>(scales) + kPrefetchBytes / 4, _MM_HINT_T0);
    dot<R, P, kBits>(weights, t.ahead + group * group_bytes, t.ahead_step, panel_bytes, group_bytes / 64, x,
                     acc);
    if (t.sums != nullptr) write_sums<R, P>(t, group, acc);
    __m512 value[R][P];
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p)
        value[r][p] = _mm512_cvtepi32_ps(acc[r][p]);
    }
    if (t.args->x.group_size != 0) {
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) {
        const __m512 scale = _mm512_set1_ps(row_scale(t, t.row + r, group));
#pragma GCC unroll 4
        for (int p = 0; p < P; ++p)
          value[r][p] = _mm512_mul_ps(value[r][p], scale);
      }
    }
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      const __m512 scale = _mm512_loadu_ps(scales + p * t.groups * kPanel);
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r)
        total[r][p] = _mm512_fmadd_ps(value[r][p], scale, total[r][p]);
    }
    weights += group_bytes;
    scales += kPanel;
  }
  if (t.sums != nullptr) return;
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
  if (!t.grouped) {
    if constexpr (R <= kStreamRows && P == 1) return bytes ? stream_tile<R, 8>(t) : stream_tile<R, 4>(t);
    return bytes ? channel_tile<R, P, 8>(t) : channel_tile<R, P, 4>(t);
  }
  if constexpr (R * P <= kMaxGroupedRows * 2)
    return bytes ? grouped_tile<R, P, 8>(t) : grouped_tile<R, P, 4>(t);
}

/// From run-time counts to template arguments.
template <int R>
void choose(const Tile& t, int64_t rows, int64_t panels) {
  if (rows == R) {
    return panels == 2 ? tile_of<R, 2>(t) : tile_of<R, 1>(t);
  }
  if constexpr (R > 1) choose<R - 1>(t, rows, panels);
}

void tile(const Tile& t, int64_t rows, int64_t panels) {
  choose<kMaxRows>(t, rows, panels);
}

}  // namespace

void gemm_s8(const GemmS8Args& args) {
  walk(args, nullptr);
}
void gemm_s8_sums(const GemmS8Args& args, const Sums& sums) {
  walk(args, &sums);
}

}  // namespace tessera::kernels::avx512
