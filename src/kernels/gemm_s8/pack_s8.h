// The layouts of integer weights, and how to get there from row-major codes. Panel by panel (16 output
// rows), so that a loader can stream and split the work over threads.
//
//   NZ (S8Layout::kTiles): the order in which gemm_s8 reads
//     8 bits: [N/16][K/4][16][4] bytes, each w + 128        (one 64-byte tile = 16 columns x 4 k)
//     4 bits: [N/16][K/8][16][4] bytes, low nibble w[k..k+3] + 8, high nibble w[k+4..k+7] + 8
//   ND (S8Layout::kRows): row-major, for comparison
//     8 bits: [N][K] bytes, each w + 128
//     4 bits: [N][K/64][32] bytes, low nibble w[k] + 8, high nibble w[k+32] + 8
//
// Unsigned with a bias: see quantized_rows.h. K is padded to padded_k(k), N to a multiple of 16; padding
// holds the bias (weight 0). Pure and thread-safe.
#pragma once

#include <stdint.h>

#include "kernels/quantize_rows/quantized_rows.h"

namespace tessera::kernels {

/// Output columns of one panel.
inline constexpr int64_t kPanel = 16;

constexpr int64_t panels(int64_t n) {
  return (n + kPanel - 1) / kPanel;
}
constexpr int64_t padded_n(int64_t n) {
  return panels(n) * kPanel;
}

/// Bytes of one packed panel, in both layouts; panel p of a matrix starts at p times this.
constexpr int64_t packed_s8_panel_bytes(int64_t k, int bits) {
  return kPanel * padded_k(k) * bits / 8;
}

enum class S8Layout : uint8_t { kTiles, kRows };

/// What weights are stored with, to be unsigned.
constexpr int code_bias(int bits) {
  return 1 << (bits - 1);
}

/// codes: [rows, k] row-major, rows 1..16, `codes_stride` bytes from row to row; 4-bit codes are -8..7, one
/// per byte. Writes packed_s8_panel_bytes(k, bits) bytes to `panel`.
void pack_s8_panel(const int8_t* codes, int64_t codes_stride, int64_t rows, int64_t k, int bits,
                   S8Layout layout, uint8_t* panel);

/// scales: [n, groups] row-major, as in checkpoints -> packed [panels(n), groups, kPanel], padding 0: in the
/// order in which the tiles are read.
void pack_scales(const float* scales, int64_t n, int64_t groups, float* packed);

/// Zero points [n, groups], row-major, in the range of the codes -> packed [panels(n), groups, kPanel],
/// stored as the weights are, with the bias of `bits`; padding: the bias.
void pack_zeros(const int8_t* zeros, int64_t n, int64_t groups, int bits, uint8_t* packed);

/// The code at (row, col) of packed weights: for tests and tools.
int packed_s8_code(const uint8_t* panels, int64_t k, int bits, S8Layout layout, int64_t row, int64_t col);

}  // namespace tessera::kernels
