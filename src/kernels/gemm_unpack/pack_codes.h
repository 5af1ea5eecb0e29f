// The NZ layout of integer weights whose activations stay float, and how to get there from row-major codes.
// Panel by panel (16 output rows), so that a loader can stream and split the work over threads.
//
//   8 bits: [N/16][K/4][16][4] bytes, each w + 128
//   4 bits: [N/16][K/8][16] words of 32 bits; k + 2j + h is the nibble w + 8 at bit 16h + 4j
//
// The tiles are those of gemm_s8 but for the order of the nibbles: shifting a register by 4j puts the pair
// (k + 2j, k + 2j + 1) into the low bits of its 16-bit halves, which is where a table lookup makes bf16 pairs
// of them. K is padded to a tile, N to a multiple of 16; padding holds the bias.
//
// The order of tiles along k: columns are summed in blocks of sum_block(), and few rows need several blocks
// side by side to have sums enough in flight. So four blocks make a strip (two, or one, where fewer are left)
// in which the tiles alternate: first of each block, second of each block, ... A kernel reads memory front to
// back; with a stream per block instead it got 52-65 % of the read bandwidth, now 83-91 % (one row, Zen 5).
// Scales and zero points lie panel by panel too. Pure and thread-safe.
#pragma once

#include <stdint.h>

#include "kernels/gemm_s8/pack_s8.h"

namespace tessera::kernels {

/// k of one 64-byte tile.
constexpr int64_t codes_tile_k(int bits) {
  return 32 / bits;
}
constexpr int64_t packed_codes_panel_bytes(int64_t k, int bits) {
  return (k + codes_tile_k(bits) - 1) / codes_tile_k(bits) * 64;
}

/// Columns that are summed before the scale is applied: the largest of 32, 64, 128 that divides a group (a
/// multiple of 32, or 0: one group of all columns).
constexpr int64_t sum_block(int64_t group_size) {
  const int64_t power_of_two = group_size & -group_size;
  return group_size == 0 || power_of_two > 128 ? 128 : power_of_two;
}

/// Where a block's tiles lie in its panel, in tiles: first, first + step, ...
struct BlockTiles {
  int64_t first, step;
};
/// `full`: blocks of the panel that are whole; `tiles`: of a whole block.
constexpr BlockTiles block_tiles(int64_t block, int64_t full, int64_t tiles) {
  const int64_t width = block < full / 4 * 4 ? 4 : block < full / 2 * 2 ? 2 : 1;
  const int64_t place = block % width;
  return {(block - place) * tiles + place, width};
}

/// codes: [rows, k] row-major, rows 1..16, `codes_stride` bytes from row to row; 4-bit codes are -8..7, one
/// per byte. Writes packed_codes_panel_bytes(k, bits) bytes to `panel`.
void pack_codes_panel(const int8_t* codes, int64_t codes_stride, int64_t rows, int64_t k, int bits,
                      int64_t group_size, uint8_t* panel);

/// values: [rows, groups] row-major, rows 1..16 -> packed [groups][16], padding 0: the scales or the zero
/// points of one panel.
void pack_group_panel(const float* values, int64_t rows, int64_t groups, float* packed);
void pack_group_panel(const int8_t* values, int64_t rows, int64_t groups, int8_t* packed);

/// The code at (row, col) of packed weights: for reading single rows, and for tests.
int packed_code(const uint8_t* tiles, int64_t k, int bits, int64_t group_size, int64_t row, int64_t col);

}  // namespace tessera::kernels
