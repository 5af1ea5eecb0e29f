// The NZ layout of integer weights whose activations stay float, and how to get there from row-major codes.
// Panel by panel (16 output rows), so that a loader can stream and split the work over threads.
//
//   8 bits: [N/16][K/4][16][4] bytes, each w + 128
//   4 bits: [N/16][K/8][16] words of 32 bits; k + 2j + h is the nibble w + 8 at bit 16h + 4j
//
// The tiles are those of gemm_s8 but for the order of the nibbles: shifting a register by 4j puts the pair
// (k + 2j, k + 2j + 1) into the low bits of its 16-bit halves, which is where a table lookup makes bf16 pairs
// of them. K is padded to a tile, N to a multiple of 16; padding holds the bias. Scales and zero points lie
// panel by panel too, so that one panel is one stream. Pure and thread-safe.
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

/// codes: [rows, k] row-major, rows 1..16, `codes_stride` bytes from row to row; 4-bit codes are -8..7, one
/// per byte. Writes packed_codes_panel_bytes(k, bits) bytes to `panel`.
void pack_codes_panel(const int8_t* codes, int64_t codes_stride, int64_t rows, int64_t k, int bits,
                      uint8_t* panel);

/// values: [rows, groups] row-major, rows 1..16 -> packed [groups][16], padding 0: the scales or the zero
/// points of one panel.
void pack_group_panel(const float* values, int64_t rows, int64_t groups, float* packed);
void pack_group_panel(const int8_t* values, int64_t rows, int64_t groups, int8_t* packed);

/// The code at (row, col) of packed weights: for reading single rows, and for tests.
int packed_code(const uint8_t* tiles, int64_t k, int bits, int64_t row, int64_t col);

}  // namespace tessera::kernels
