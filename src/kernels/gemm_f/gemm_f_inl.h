// What the float GEMMs share, over whichever vec16_*.h was included before: tile sizes from the number of
// registers, the walk over rows and panels, and the epilogue.
#pragma once

#include "kernels/gemm_s8/pack_s8.h"
// After the vocabulary.
#include "kernels/simd/write_panel.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

/// 32 registers: 12 x 2 accumulators, 2 of weights; 8: 6 x 1 and 1. Up to kFewRows rows take 4 panels (fewer
/// when registers are few), to have enough chains in flight.
inline constexpr int kTileRows = kVecRegisters >= 32 ? 12 : kVecRegisters >= 8 ? 6 : 1;
inline constexpr int kTilePanels = kVecRegisters >= 32 ? 2 : 1;
inline constexpr int kFewRows = kVecRegisters >= 32 ? 3 : 1;
inline constexpr int kFewRowsPanels = kVecRegisters >= 8 ? 4 : 1;
/// Rows walked under one panel before the next panel: what stays in the L2 cache (1 MiB here) beside the
/// panels.
inline constexpr int64_t kChunkRows = 240;
inline constexpr int64_t kChunkBytes = 512 << 10;
/// A chunk may be half as large again; whole tiles for every kTileRows.
inline constexpr int64_t kMostChunkRows = 360;

/// Rows of a chunk: of `rows` as near as can be to what fits, in whole tiles; so no small rest passes over
/// all panels once more.
inline int64_t chunk_rows(int64_t rows, int64_t row_bytes) {
  int64_t fit = kChunkBytes / row_bytes;
  if (fit < 4 * kTileRows) fit = 4 * kTileRows;
  if (fit > kChunkRows) fit = kChunkRows;
  const int64_t chunks = (rows + fit / 2) / fit > 0 ? (rows + fit / 2) / fit : 1;
  const int64_t tiles = ((rows + chunks - 1) / chunks + kTileRows - 1) / kTileRows;
  return tiles * kTileRows < kMostChunkRows ? tiles * kTileRows : kMostChunkRows;
}

/// A tile of the walk: its first row and panel, and which block of rows it is of how many that pass over the
/// same panels.
struct TileAt {
  int64_t row, panel, block, blocks;
};

/// run.template operator()<R, P>(tile), from run-time counts to template arguments.
template <int R, class Run>
void choose(const Run& run, const TileAt& at, int64_t rows, int64_t panels) {
  if (rows == R) {
    if constexpr (R <= kFewRows && kFewRowsPanels == 4) {
      if (panels == 4) return run.template operator()<R, 4>(at);
    }
    if constexpr (kTilePanels >= 2 || (R <= kFewRows && kFewRowsPanels == 4)) {
      if (panels == 2) return run.template operator()<R, 2>(at);
    }
    return run.template operator()<R, 1>(at);
  }
  if constexpr (R > 1) choose<R - 1>(run, at, rows, panels);
}

/// Covers the ranges of `args` with tiles; `row_bytes` of a row are read. Row blocks are as equal as can be:
/// 13 rows are 7 and 6, not 12 and 1.
template <class Args, class Run>
void walk(const Args& args, int64_t row_bytes, const Run& run) {
  const int64_t most_rows = chunk_rows(args.row_end - args.row_begin, row_bytes);
  for (int64_t chunk = args.row_begin; chunk < args.row_end; chunk += most_rows) {
    const int64_t left = args.row_end - chunk;
    const int64_t rows = left < most_rows ? left : most_rows;
    const int64_t blocks = (rows + kTileRows - 1) / kTileRows;
    const int64_t small = rows / blocks, larger = rows % blocks;
    const int64_t most_panels = rows <= kFewRows ? kFewRowsPanels : kTilePanels;
    for (int64_t panel = args.panel_begin; panel < args.panel_end;) {
      int64_t width = most_panels;
      while (width > args.panel_end - panel)
        width /= 2;
      int64_t row = chunk;
      for (int64_t block = 0; block < blocks; ++block) {
        const int64_t count = small + (block < larger ? 1 : 0);
        choose<kTileRows>(run, {row, panel, block, blocks}, count, width);
        row += count;
      }
      panel += width;
    }
  }
}

template <class Args>
void finish(const Args& args, int64_t row, int64_t panel, Vec value) {
  const int64_t column = panel * kPanel;
  const float* bias = args.bias == nullptr ? nullptr : args.bias + column;
  write_panel(value, bias, args.accumulate, args.y + row * args.y_stride + column, args.n - column);
}

/// The accumulators of a tile, and their way out.
template <int R, int P>
struct Accumulators {
  Vec at[R][P];

  inline __attribute__((always_inline)) Accumulators() {
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p)
        at[r][p] = zero();
    }
  }
  template <class Args>
  inline __attribute__((always_inline)) void write(const Args& args, int64_t row, int64_t panel) const {
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p)
        finish(args, row + r, panel + p, at[r][p]);
    }
  }
};

}  // namespace
}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
