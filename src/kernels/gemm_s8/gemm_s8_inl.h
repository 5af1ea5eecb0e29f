// What every variant of gemm_s8 shares, in both layouts, over whichever vec16_*.h was included before: the
// walk over tiles, the corrections for the weights' bias, and the float epilogue. The including file then
// defines
//   void tile(const Tile&, int64_t rows, int64_t panels)     integer products of a few rows and panels
//   int64_t tile_rows(const PackedS8&), tile_panels(int64_t rows, const PackedS8&)   how large a tile may be;
//   a power of two of panels
#pragma once

#include "kernels/gemm_s8/gemm_s8.h"
// After the vocabulary.
#include "kernels/simd/write_panel.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

/// Corrections kept on the stack: 2048 groups (k = 65536 in groups of 32) of 6 rows; 48 KiB.
inline constexpr int64_t kCorrections = 12288;
/// Codes of the rows that are walked under one panel before the next panel: they stay in the L2 cache (1 MiB
/// here) beside the weights of the tile.
inline constexpr int64_t kChunkBytes = 384 << 10;
inline constexpr int64_t kChunkRows = 240;

struct Tile {
  const GemmS8Args* args;
  int64_t row, panel;          // the first of the tile
  const int32_t* corrections;  // [rows, groups] of the tile
  int64_t groups;              // 1 when not grouped
  const Sums* sums;            // not null: write them and nothing else
  bool grouped;
  // Weights that come next, for the tile to prefetch as many of as it reads: that many panels from here, so
  // far apart (0: one). May be the tile's own.
  const uint8_t* ahead;
  int64_t ahead_step;
};

int64_t tile_rows(const PackedS8& w);
int64_t tile_panels(int64_t rows, const PackedS8& w);
void tile(const Tile& t, int64_t rows, int64_t panels);

/// corrections[row, group] = -bias * sum of the row's codes in the group. With zero points, which differ from
/// column to column, it is the bare -sum: the tiles multiply.
inline void correct(const GemmS8Args& args, int64_t row, int64_t rows, int64_t groups, int32_t* corrections) {
  const int32_t factor = args.w.zeros != nullptr ? -1 : -code_bias(args.w.bits);
  const int64_t blocks = (groups == 1 ? padded_k(args.w.k) : args.w.group_size) / kSumBlock;
  for (int64_t r = 0; r < rows; ++r) {
    const int32_t* sums = args.x.block_sums + (row + r) * args.x.sums_stride;
    for (int64_t group = 0; group < groups; ++group) {
      int32_t sum = 0;
      for (int64_t block = 0; block < blocks; ++block)
        sum += sums[group * blocks + block];
      corrections[r * groups + group] = factor * sum;
    }
  }
}

/// Row blocks of a chunk as equal as can be: 13 rows are 7 and 6, not 12 and 1.
/// Each block of rows prefetches one panel of those that follow, until all are on their way; a single block
/// all.
inline void walk_rows(Tile t, int64_t rows, int64_t panels, int64_t most_rows) {
  const int64_t blocks = (rows + most_rows - 1) / most_rows;
  const int64_t small = rows / blocks, larger = rows % blocks;
  const int64_t panel_bytes = packed_s8_panel_bytes(t.args->w.k, t.args->w.bits);
  const int64_t next = t.panel + panels;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t count = small + (block < larger ? 1 : 0);
    const bool useful = block < panels && next + block < t.args->panel_end;
    t.ahead = t.args->w.tiles + (useful ? next + block : t.panel) * panel_bytes;
    t.ahead_step = blocks == 1 ? panel_bytes : 0;
    tile(t, count, panels);
    t.row += count;
    t.corrections += count * t.groups;
  }
}

/// Rows of a chunk: what fits the caches and the array of corrections, in whole tiles, at least one tile.
inline int64_t chunk_rows(int64_t k, int64_t groups, int64_t most_rows) {
  int64_t rows = kChunkBytes / padded_k(k);
  if (rows > kChunkRows) rows = kChunkRows;
  if (rows > kCorrections / groups) rows = kCorrections / groups;
  return rows < most_rows ? most_rows : rows / most_rows * most_rows;
}

inline void walk(const GemmS8Args& args, const Sums* sums) {
  const bool grouped = args.w.group_size != 0;
  const int64_t groups = grouped ? args.w.k / args.w.group_size : 1;
  const int64_t most_rows = tile_rows(args.w);
  const int64_t chunk = chunk_rows(args.w.k, groups, most_rows);
  int32_t corrections[kCorrections];
  for (int64_t row = args.row_begin; row < args.row_end; row += chunk) {
    const int64_t left = args.row_end - row;
    const int64_t rows = left < chunk ? left : chunk;
    correct(args, row, rows, groups, corrections);
    const int64_t most_panels = tile_panels(rows < most_rows ? rows : most_rows, args.w);
    for (int64_t panel = args.panel_begin; panel < args.panel_end;) {
      int64_t width = most_panels;
      while (width > args.panel_end - panel)
        width /= 2;
      walk_rows({&args, row, panel, corrections, groups, sums, grouped, nullptr, 0}, rows, width, most_rows);
      panel += width;
    }
  }
}

/// Columns of the panel that exist.
inline int64_t valid_columns(const GemmS8Args& args, int64_t panel) {
  const int64_t left = args.w.n - panel * kPanel;
  return left < kPanel ? left : kPanel;
}

/// Where the scales and zero points of a panel's group are.
inline int64_t group_at(const Tile& t, int64_t panel, int64_t group) {
  return (panel * t.groups + group) * kPanel;
}

/// Where the first of the panel's sums of one row goes.
inline int32_t* sums_at(const Tile& t, int64_t row, int64_t panel, int64_t group) {
  return t.sums->to + group * t.sums->group_stride + row * t.sums->row_stride + panel * kPanel;
}

/// The scale of a row's group of weights, where rows have scales per group.
inline float row_scale(const Tile& t, int64_t row, int64_t group) {
  const QuantizedRows& x = t.args->x;
  return x.scales[row * x.scales_stride + group * t.args->w.group_size / x.group_size];
}

/// `value`: the integer sums as floats (per channel), or the groups' scaled sum.
inline void finish(const Tile& t, int64_t row, int64_t panel, Vec value) {
  const GemmS8Args& args = *t.args;
  const int64_t column = panel * kPanel;
  if (args.x.group_size == 0) value = mul(value, set1(args.x.scales[row * args.x.scales_stride]));
  if (!t.grouped) value = mul(value, load(args.w.scales + column));
  const float* bias = args.bias == nullptr ? nullptr : args.bias + column;
  write_panel(value, bias, args.accumulate, args.y + row * args.y_stride + column,
              valid_columns(args, panel));
}

}  // namespace
}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
