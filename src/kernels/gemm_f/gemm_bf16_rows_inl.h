// The walk of gemm_bf16_rows, over whichever vec16_*.h was included before. A `Math` says how a stretch of
// kUnit columns is multiplied: Operand, load(), load_n(), multiply_add(), sums().
#pragma once

#include "kernels/gemm_f/gemm_bf16_rows.h"
// After the vocabulary.
#include "kernels/gemm_f/gemm_f_inl.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

/// 32 registers: 6 x 4 accumulators, 4 of weights, 1 of a row; 8: 2 x 2, 2 and 1.
inline constexpr int kDotRows = kVecRegisters >= 32 ? 6 : kVecRegisters >= 8 ? 2 : 1;
inline constexpr int kDotColumns = kVecRegisters >= 32 ? 4 : kVecRegisters >= 8 ? 2 : 1;
/// Up to so many rows take one column at a time: memory is then read front to back, which is worth 80-89
/// instead of 71-80 % of the read bandwidth (Zen 5).
inline constexpr int kStreamRows = 2;

/// Rows, and columns that they pass over in `blocks` blocks of rows.
struct DotTile {
  int64_t row, column, block, blocks;
};

/// Weights that follow: each block of rows fetches its share.
template <int C>
const char* ahead_of(const GemmBf16Args& args, const DotTile& tile) {
  const int64_t row_bytes = padded_k_bf16(args.k) * static_cast<int64_t>(sizeof(uint16_t));
  const char* next = reinterpret_cast<const char*>(args.w) + (tile.column + C) * row_bytes;
  return next + tile.block * (C * row_bytes / tile.blocks);
}

template <class Math, int R, int C>
void dot_tile(const GemmBf16Args& args, const DotTile& tile) {
  const int64_t w_stride = padded_k_bf16(args.k), x_stride = args.x_stride;
  const uint16_t* w = args.w + tile.column * w_stride;
  const uint16_t* x = args.x + tile.row * x_stride;
  const char* ahead = ahead_of<C>(args, tile);
  const int64_t ahead_step = C * Math::kUnit * 2 / tile.blocks + 1;
  Accumulators<R, C> acc;
  const auto step = [&](const auto& load, int64_t k) __attribute__((always_inline)) {
    typename Math::Operand weights[C];
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c)
      weights[c] = load(w + c * w_stride + k);
#pragma GCC unroll 6
    for (int r = 0; r < R; ++r) {
      const typename Math::Operand value = load(x + r * x_stride + k);
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c)
        acc.at[r][c] = Math::multiply_add(weights[c], value, acc.at[r][c]);
    }
  };
  int64_t k = 0;
  for (; k + Math::kUnit <= w_stride; k += Math::kUnit, ahead += ahead_step) {
#pragma GCC unroll 4
    for (int64_t line = 0; line < C * Math::kUnit * 2; line += 64)
      __builtin_prefetch(ahead + line);
    step([](const uint16_t* p) __attribute__((always_inline)) { return Math::load(p); }, k);
  }
  if (const int64_t left = w_stride - k; left > 0)
    step([left](const uint16_t* p) __attribute__((always_inline)) { return Math::load_n(p, left); }, k);
#pragma GCC unroll 6
  for (int r = 0; r < R; ++r) {
    float sums[C];
    Math::template sums<C>(acc.at[r], sums);
    float* y = args.y + (tile.row + r) * args.y_stride + tile.column;
    for (int c = 0; c < C; ++c) {
      const float value = args.bias == nullptr ? sums[c] : sums[c] + args.bias[tile.column + c];
      y[c] = args.accumulate ? y[c] + value : value;
    }
  }
}

template <class Math, int R, int C>
void choose_dot(const GemmBf16Args& args, const DotTile& tile, int64_t rows) {
  if (rows == R) return dot_tile<Math, R, C>(args, tile);
  if constexpr (R > 1) choose_dot<Math, R - 1, C>(args, tile, rows);
}

template <class Math>
void walk_dots(const GemmBf16Args& args) {
  const int64_t last = args.panel_end * kPanel < args.n ? args.panel_end * kPanel : args.n;
  const int64_t chunk = chunk_rows(args.row_end - args.row_begin, padded_k_bf16(args.k) * 2);
  for (int64_t begin = args.row_begin; begin < args.row_end; begin += chunk) {
    const int64_t rows = begin + chunk < args.row_end ? chunk : args.row_end - begin;
    const int64_t blocks = (rows + kDotRows - 1) / kDotRows;
    const int64_t small = rows / blocks, larger = rows % blocks;
    for (int64_t column = args.panel_begin * kPanel; column < last;) {
      const int64_t columns = rows > kStreamRows && column + kDotColumns <= last ? kDotColumns : 1;
      DotTile tile{begin, column, 0, blocks};
      for (; tile.block < blocks; ++tile.block) {
        const int64_t count = small + (tile.block < larger ? 1 : 0);
        if (columns == 1) {
          choose_dot<Math, kDotRows, 1>(args, tile, count);
        } else {
          choose_dot<Math, kDotRows, kDotColumns>(args, tile, count);
        }
        tile.row += count;
      }
      column += columns;
    }
  }
}

/// Both operands widened.
struct WidenedMath {
  using Operand = Vec;
  static constexpr int64_t kUnit = 16;

  static Vec load(const uint16_t* p) { return load_bf16(p); }
  static Vec load_n(const uint16_t* p, int64_t n) {
    uint16_t all[kUnit] = {};
    __builtin_memcpy(all, p, static_cast<size_t>(n) * sizeof(uint16_t));
    return load_bf16(all);
  }
  static Vec multiply_add(Vec w, Vec x, Vec acc) { return fma(w, x, acc); }
  template <int C>
  static void sums(const Vec (&acc)[C], float* out) {
    for (int c = 0; c < C; ++c)
      out[c] = reduce_add(acc[c]);
  }
};

}  // namespace
}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
