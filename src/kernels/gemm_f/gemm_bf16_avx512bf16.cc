// gemm_bf16 with vdpbf16ps: one instruction multiplies and adds a pair of every one of 16 columns.
#define TESSERA_ISA_NAMESPACE avx512bf16
#include "kernels/simd/vec16_avx512.h"
// After the vocabulary.
#include "kernels/gemm_f/gemm_bf16.h"
#include "kernels/gemm_f/gemm_f_inl.h"

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

/// Columns [begin, end). Sums of all but the last stretch wait in y: sums of 2048 columns let the rows of a
/// chunk stay in the L2 cache (12 rows x 6144: 84 instead of 79 % of peak, Zen 5).
struct Stretch {
  int64_t begin, end;
  bool last;
};
inline constexpr int64_t kStretch = 2048;

/// Weights that are wanted soon: a line of each of P panels, `stride` apart, per step of two columns. A
/// chunk's first pass over panels fetches them from memory or the L3 cache; when several blocks of rows pass
/// over the panels, each of them fetches its share of the panels that follow.
struct Ahead {
  const char* at;
  int64_t stride, step;
};

/// How far ahead in the tile's own panels.
template <int R>
inline constexpr int64_t kOwnBytes = R <= kFewRows ? 2048 : 4096;

template <int R, int P>
Ahead ahead_of(const GemmBf16Args& args, const TileAt& tile, const Stretch& stretch) {
  constexpr int64_t kColumnBytes = kPanel * sizeof(uint16_t);
  const int64_t panel_bytes = padded_k_bf16(args.k) * kColumnBytes;
  const char* panel =
      reinterpret_cast<const char*>(args.w) + tile.panel * panel_bytes + stretch.begin * kColumnBytes;
  if (tile.blocks == 1 || tile.panel + 2 * P > args.panel_end) return {panel + kOwnBytes<R>, panel_bytes, 64};
  const int64_t share = (stretch.end - stretch.begin) * kColumnBytes / tile.blocks;
  return {panel + P * panel_bytes + tile.block * share, panel_bytes, 64 / tile.blocks + 1};
}

/// The sums of the stretches before, and back.
template <int R, int P>
inline __attribute__((always_inline)) void load_sums(const GemmBf16Args& args, const TileAt& tile,
                                                     Accumulators<R, P>& acc) {
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      const int64_t column = (tile.panel + p) * kPanel, left = args.n - column;
      const float* from = args.y + (tile.row + r) * args.y_stride + column;
      acc.at[r][p] = load_n(from, left < kLanes ? left : kLanes);
    }
  }
}
template <int R, int P>
inline __attribute__((always_inline)) void store_sums(const GemmBf16Args& args, const TileAt& tile,
                                                      const Accumulators<R, P>& acc) {
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      const int64_t column = (tile.panel + p) * kPanel, left = args.n - column;
      float* to = args.y + (tile.row + r) * args.y_stride + column;
      store_n(to, acc.at[r][p], left < kLanes ? left : kLanes);
    }
  }
}

template <int R, int P>
void pair_tile(const GemmBf16Args& args, const TileAt& tile, const Stretch& stretch) {
  const int64_t panel_elements = packed_bf16_panel_elements(args.k);
  const uint16_t* w = args.w + tile.panel * panel_elements + stretch.begin * kPanel;
  const uint16_t* x = args.x + tile.row * args.x_stride + stretch.begin;
  const int64_t stride = args.x_stride;
  Ahead ahead = ahead_of<R, P>(args, tile, stretch);
  Accumulators<R, P> acc;
  if (stretch.begin > 0) load_sums(args, tile, acc);
  for (int64_t k = stretch.begin; k < stretch.end; k += 2, w += 2 * kPanel, x += 2, ahead.at += ahead.step) {
    __m512bh weights[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      weights[p] = as_pairs(_mm512_loadu_si512(w + p * panel_elements));
      _mm_prefetch(ahead.at + p * ahead.stride, _MM_HINT_T0);
    }
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const __m512bh value = broadcast_pair(x + r * stride);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p)
        acc.at[r][p].v = _mm512_dpbf16_ps(acc.at[r][p].v, weights[p], value);
    }
  }
  if (!stretch.last) return store_sums(args, tile, acc);
  acc.write(args, tile.row, tile.panel);
}

}  // namespace

void gemm_bf16(const GemmBf16Args& args) {
  // One stretch where y holds what is added to; and for few rows, which read weights as one stream.
  const bool whole = args.accumulate || args.row_end - args.row_begin <= kTileRows;
  const int64_t step = whole ? args.k : kStretch;
  for (int64_t k = 0; k < args.k; k += step) {
    // No short rest.
    const bool last = args.k - k <= step + step / 2;
    const Stretch stretch{k, last ? args.k : k + step, last};
    walk(args, (stretch.end - k) * static_cast<int64_t>(sizeof(uint16_t)),
         [&]<int R, int P>(const TileAt& at) { pair_tile<R, P>(args, at, stretch); });
    if (last) return;
  }
}

}  // namespace tessera::kernels::avx512bf16
