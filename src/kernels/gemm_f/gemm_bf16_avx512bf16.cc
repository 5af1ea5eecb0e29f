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

/// Weights that are wanted soon: P lines, `stride` apart, per step of two columns. A chunk's first pass over
/// panels fetches them from memory or the L3 cache; when several blocks of rows pass over the panels, each of
/// them fetches its share of the panels that follow.
struct Ahead {
  const char* at;
  int64_t stride, step;
};

/// How far ahead in the tile's own panels.
template <int R>
inline constexpr int64_t kOwnBytes = R <= kFewRows ? 2048 : 4096;
/// Panels that follow are fetched when they leave half of the L2 cache to others.
inline constexpr int64_t kMostBytes = 512 << 10;

template <int R, int P>
Ahead ahead_of(const GemmBf16Args& args, const TileAt& tile) {
  const int64_t panel_bytes = packed_bf16_panel_elements(args.k) * static_cast<int64_t>(sizeof(uint16_t));
  const char* panel = reinterpret_cast<const char*>(args.w) + tile.panel * panel_bytes;
  if (tile.blocks == 1 || P * panel_bytes > kMostBytes || tile.panel + 2 * P > args.panel_end)
    return {panel + kOwnBytes<R>, panel_bytes, 64};
  const int64_t share = P * panel_bytes / tile.blocks;
  return {panel + P * panel_bytes + tile.block * share, 64, 64 * P / tile.blocks + 1};
}

template <int R, int P>
void pair_tile(const GemmBf16Args& args, const TileAt& tile) {
  const int64_t panel_elements = packed_bf16_panel_elements(args.k);
  const uint16_t* w = args.w + tile.panel * panel_elements;
  const uint16_t* x = args.x + tile.row * args.x_stride;
  const int64_t stride = args.x_stride;
  Ahead ahead = ahead_of<R, P>(args, tile);
  Accumulators<R, P> acc;
  for (int64_t k = 0; k < args.k; k += 2, w += 2 * kPanel, x += 2, ahead.at += ahead.step) {
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
  acc.write(args, tile.row, tile.panel);
}

}  // namespace

void gemm_bf16(const GemmBf16Args& args) {
  walk(args, [&]<int R, int P>(const TileAt& at) { pair_tile<R, P>(args, at); });
}

}  // namespace tessera::kernels::avx512bf16
