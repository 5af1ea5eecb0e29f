#include "kernels/gemm_unpack/pack_codes.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace tessera::kernels {
namespace {

/// Where the code of column `offset` of a tile lies in its 32-bit word.
int bit_of(int64_t offset, int bits) {
  return static_cast<int>(bits == 8 ? offset * 8 : offset % 2 * 16 + offset / 2 * 4);
}

/// Where the tile with column k lies in its panel, in bytes.
int64_t tile_at(int64_t column, int64_t k, int bits, int64_t group_size) {
  const int64_t block = sum_block(group_size), step = codes_tile_k(bits);
  const BlockTiles tiles = block_tiles(column / block, k / block, block / step);
  return (tiles.first + column % block / step * tiles.step) * 64;
}

template <class T>
void pack_groups(const T* values, int64_t rows, int64_t groups, T* packed) {
  for (int64_t group = 0; group < groups; ++group) {
    for (int64_t row = 0; row < kPanel; ++row)
      packed[group * kPanel + row] = row < rows ? values[row * groups + group] : T{0};
  }
}

}  // namespace

void pack_codes_panel(const int8_t* codes, int64_t codes_stride, int64_t rows, int64_t k, int bits,
                      int64_t group_size, uint8_t* panel) {
  CHECK(bits == 4 || bits == 8, "weight bits {}", bits);
  CHECK(rows >= 1 && rows <= kPanel, "{} rows in a panel", rows);
  const int64_t step = codes_tile_k(bits);
  const int bias = 1 << (bits - 1);
  for (int64_t first = 0; first < k; first += step) {
    uint8_t* to = panel + tile_at(first, k, bits, group_size);
    for (int64_t row = 0; row < kPanel; ++row) {
      const int8_t* from = codes + row * codes_stride + first;
      uint32_t word = 0;
      for (int64_t i = 0; i < step; ++i) {
        const int code = row < rows && first + i < k ? from[i] : 0;
        word |= static_cast<uint32_t>(code + bias) << bit_of(i, bits);
      }
      std::memcpy(to + row * 4, &word, sizeof(word));
    }
  }
}

void pack_group_panel(const float* values, int64_t rows, int64_t groups, float* packed) {
  pack_groups(values, rows, groups, packed);
}
void pack_group_panel(const int8_t* values, int64_t rows, int64_t groups, int8_t* packed) {
  pack_groups(values, rows, groups, packed);
}

int packed_code(const uint8_t* tiles, int64_t k, int bits, int64_t group_size, int64_t row, int64_t col) {
  const uint8_t* panel = tiles + row / kPanel * packed_codes_panel_bytes(k, bits);
  uint32_t word;
  std::memcpy(&word, panel + tile_at(col, k, bits, group_size) + row % kPanel * 4, sizeof(word));
  const int bias = 1 << (bits - 1);
  return static_cast<int>(word >> bit_of(col % codes_tile_k(bits), bits) & ((1U << bits) - 1U)) - bias;
}

}  // namespace tessera::kernels
