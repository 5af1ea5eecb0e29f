#include "kernels/gemm_s8/pack_s8.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace tessera::kernels {
namespace {

/// Four codes from k on, those at and beyond `end` being 0.
uint32_t four_codes(const int8_t* row, int64_t k, int64_t end) {
  uint32_t word = 0;
  if (k < end) std::memcpy(&word, row + k, static_cast<size_t>(std::min<int64_t>(4, end - k)));
  return word;
}

// Adding 8 to a nibble, or 128 to a byte, is flipping its top bit.
uint32_t bias_bytes(uint32_t word) {
  return word ^ 0x80808080U;
}
uint32_t bias_nibbles(uint32_t word) {
  return (word & 0x0f0f0f0fU) ^ 0x08080808U;
}

/// One row of a panel in tiles.
void pack_tiles(const int8_t* from, int64_t end, int64_t tiles, int bits, uint8_t* to) {
  for (int64_t tile = 0; tile < tiles; ++tile, to += 64) {
    uint32_t word;
    if (bits == 8) {
      word = bias_bytes(four_codes(from, tile * 4, end));
    } else {
      word = bias_nibbles(four_codes(from, tile * 8, end)) | bias_nibbles(four_codes(from, tile * 8 + 4, end))
                                                                 << 4;
    }
    std::memcpy(to, &word, sizeof(word));
  }
}

/// One row, row-major.
void pack_row_codes(const int8_t* from, int64_t end, int64_t padded, int bits, uint8_t* to) {
  const auto code = [&](int64_t k) { return (k < end ? from[k] : 0) + code_bias(bits); };
  if (bits == 8) {
    for (int64_t k = 0; k < padded; ++k)
      to[k] = static_cast<uint8_t>(code(k));
    return;
  }
  for (int64_t block = 0; block < padded; block += 64, to += 32) {
    for (int64_t i = 0; i < 32; ++i)
      to[i] = static_cast<uint8_t>(code(block + i) | code(block + 32 + i) << 4);
  }
}

}  // namespace

void pack_s8_panel(const int8_t* codes, int64_t codes_stride, int64_t rows, int64_t k, int bits,
                   S8Layout layout, uint8_t* panel) {
  CHECK(bits == 4 || bits == 8, "weight bits {}", bits);
  CHECK(rows >= 1 && rows <= kPanel, "{} rows in a panel", rows);
  const int64_t row_bytes = packed_s8_panel_bytes(k, bits) / kPanel;
  for (int64_t row = 0; row < kPanel; ++row) {
    const int8_t* from = codes + row * codes_stride;
    // A row beyond the matrix is all padding.
    const int64_t end = row < rows ? k : 0;
    if (layout == S8Layout::kTiles) {
      pack_tiles(from, end, row_bytes / 4, bits, panel + row * 4);
    } else {
      pack_row_codes(from, end, padded_k(k), bits, panel + row * row_bytes);
    }
  }
}

void pack_scales(const float* scales, int64_t n, int64_t groups, float* packed) {
  for (int64_t row = 0; row < padded_n(n); ++row) {
    float* to = packed + row / kPanel * groups * kPanel + row % kPanel;
    for (int64_t group = 0; group < groups; ++group)
      to[group * kPanel] = row < n ? scales[row * groups + group] : 0.0F;
  }
}

void pack_zeros(const int8_t* zeros, int64_t n, int64_t groups, int bits, uint8_t* packed) {
  for (int64_t row = 0; row < padded_n(n); ++row) {
    uint8_t* to = packed + row / kPanel * groups * kPanel + row % kPanel;
    for (int64_t group = 0; group < groups; ++group)
      to[group * kPanel] =
          static_cast<uint8_t>((row < n ? zeros[row * groups + group] : 0) + code_bias(bits));
  }
}

int packed_s8_code(const uint8_t* panels, int64_t k, int bits, S8Layout layout, int64_t row, int64_t col) {
  const int64_t panel_bytes = packed_s8_panel_bytes(k, bits), in_panel = row % kPanel;
  const uint8_t* panel = panels + row / kPanel * panel_bytes;
  int byte;
  bool low;
  if (layout == S8Layout::kTiles) {
    byte = panel[(bits == 8 ? col / 4 : col / 8) * 64 + in_panel * 4 + col % 4];
    low = col % 8 < 4;
  } else {
    byte = panel[in_panel * (panel_bytes / kPanel) + (bits == 8 ? col : col / 64 * 32 + col % 32)];
    low = col % 64 < 32;
  }
  if (bits == 8) return byte - code_bias(8);
  return (low ? byte & 0xf : byte >> 4) - code_bias(4);
}

}  // namespace tessera::kernels
