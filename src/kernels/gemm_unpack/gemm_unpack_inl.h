// The walk of gemm_unpack, over whichever vec16_*.h was included before. Weights are unpacked in registers,
// anew for every tile of rows: unpacking once for all rows, to the L1 cache, was slower for every number of
// rows (Zen 5, vdpbf16ps, 4 bits: 16 rows with weights from memory 49 instead of 84 % of peak, 512 rows 79
// instead of 82 %). A `Math` says how a unit (one or two columns) is unpacked and multiplied: Input, Raw,
// Operand, Unpack, rows(), value(), multiply_add(); see float_math_inl.h.
#pragma once

#include "kernels/gemm_unpack/gemm_unpack.h"
// After the vocabulary.
#include "kernels/gemm_f/gemm_f_inl.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

inline constexpr int64_t kMostBlock = 128;
/// A multiple of the columns of every tile.
inline constexpr int64_t kTileColumns = 8;

/// Panels and blocks side by side, so that few rows too have sums enough in flight: 2 multiply-adds a cycle
/// that take 4 to 6. Two panels share the loads of the rows.
template <int R>
inline constexpr int kStreamPanels = R == 1 ? 1 : kTilePanels;
inline constexpr int kSums = kVecRegisters >= 32 ? 16 : kVecRegisters >= 8 ? 6 : 1;
template <int R, int P>
inline constexpr int kStreamBlocks = R * P * 4 <= kSums   ? 4
                                     : R * P * 2 <= kSums ? 2
                                                          : 1;

/// How far ahead of the loads memory is fetched, in its order: two panels that are read side by side are
/// fetched one after the other, while the two before them are used, unless that is more than the L2 cache
/// should hold. When several blocks of rows pass over the panels, each of them fetches its share.
inline constexpr int64_t kAheadBytes = 8192;
inline constexpr int64_t kMostAheadBytes = 256 << 10;

/// GemmUnpackArgs of either type of rows.
struct Call {
  const void* x;
  bool x_is_bf16;
  int64_t x_stride;
  const PackedCodes* w;
  const float* bias;
  float* y;
  int64_t y_stride;
  bool accumulate;
};

/// Rows made ready for a Math: column 0 of the first one.
template <class Input>
struct Rows {
  const Input* first;
  int64_t stride;
};

/// Some panels of a few rows.
struct Stream {
  const Call* call;
  int64_t row, panel;
  const uint8_t* tiles;  // of the first panel
  int64_t panel_bytes;
  int64_t block;      // columns of a block
  const char* ahead;  // what is fetched next, so much further with every tile
  int64_t ahead_step;
};

/// Adjacent blocks of columns from k on, whose tiles alternate: `count` of each, `step` bytes apart.
struct Blocks {
  int64_t k;
  const uint8_t* first;
  int64_t count, step;
};

/// Group of column k; 0 when there is one.
inline int64_t group_of(const PackedCodes& w, int64_t k) {
  return w.group_size == 0 ? 0 : k / w.group_size;
}
inline int64_t groups(const PackedCodes& w) {
  return w.group_size == 0 ? 1 : w.k / w.group_size;
}

/// Adds B blocks. x: rows from column `blocks.k` on.
template <class Math, int R, int P, int B, int kBits, bool kZeros>
inline __attribute__((always_inline)) void stream_blocks(Stream& s, const Blocks& blocks,
                                                         Rows<typename Math::Input> x,
                                                         Accumulators<R, P>& totals) {
  using Unpack = typename Math::template Unpack<kBits, kZeros>;
  const PackedCodes& w = *s.call->w;
  const auto group = [&](int p, int b) {
    return ((s.panel + p) * groups(w) + group_of(w, blocks.k + b * s.block)) * kPanel;
  };
  const uint8_t* from = blocks.first;
  const char* ahead = s.ahead;
  Accumulators<R, P> acc[B];
  for (int64_t t = 0; t < blocks.count; ++t) {
#pragma GCC unroll 4
    for (int b = 0; b < B; ++b) {
      typename Math::Raw raw[P];
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) {
        raw[p] = Math::load_raw(from + b * 64 + p * s.panel_bytes);
        __builtin_prefetch(ahead);
        ahead += s.ahead_step;
      }
#pragma GCC unroll 8
      for (int unit = 0; unit < Unpack::kUnits; ++unit) {
        typename Math::Operand weights[P];
#pragma GCC unroll 2
        for (int p = 0; p < P; ++p) {
          const Unpack unpacker(kZeros ? w.zeros + group(p, b) : nullptr);
          weights[p] = unpacker.operand(raw[p], unit);
        }
#pragma GCC unroll 12
        for (int r = 0; r < R; ++r) {
          const auto value = Math::value(x.first + b * s.block + r * x.stride, unit);
#pragma GCC unroll 2
          for (int p = 0; p < P; ++p)
            acc[b].at[r][p] = Math::multiply_add(acc[b].at[r][p], weights[p], value);
        }
      }
    }
    from += blocks.step;
    x.first += codes_tile_k(kBits);
  }
  s.ahead = ahead;
#pragma GCC unroll 4
  for (int b = 0; b < B; ++b) {
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) {
      const Vec scale = load(w.scales + group(p, b));
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r)
        totals.at[r][p] = fma(acc[b].at[r][p], scale, totals.at[r][p]);
    }
  }
}

/// The whole blocks from column k on, in strips of W, then of fewer; a strip in steps of B blocks. Returns
/// where it stopped: less than a block is left.
template <class Math, int R, int P, int W, int kBits, bool kZeros>
inline __attribute__((always_inline)) int64_t stream_strips(Stream& s, int64_t k, typename Math::Input* input,
                                                            Accumulators<R, P>& totals) {
  constexpr int B = kStreamBlocks<R, P> < W ? kStreamBlocks<R, P> : W;
  const int64_t tiles = s.block / codes_tile_k(kBits);
  for (; k + W * s.block <= s.call->w->k; k += W * s.block) {
    const uint8_t* strip = s.tiles + k / codes_tile_k(kBits) * 64;
    const auto x = Math::rows(*s.call, s.row, R, k, W * s.block, input);
    for (int b = 0; b < W; b += B) {
      const int64_t offset = b * s.block;
      stream_blocks<Math, R, P, B, kBits, kZeros>(s, {k + offset, strip + b * 64, tiles, W * 64},
                                                  {x.first + offset, x.stride}, totals);
    }
  }
  if constexpr (W > 1) k = stream_strips<Math, R, P, W / 2, kBits, kZeros>(s, k, input, totals);
  return k;
}

template <class Math, int R, int P, int kBits, bool kZeros>
void stream_panels(Stream s) {
  const Call& call = *s.call;
  alignas(64) typename Math::Input input[R * Math::kInputColumns];
  Accumulators<R, P> totals;
  const int64_t k = stream_strips<Math, R, P, 4, kBits, kZeros>(s, 0, input, totals);
  if (const int64_t left = call.w->k - k; left > 0) {
    const int64_t step = codes_tile_k(kBits);
    const Blocks rest{k, s.tiles + k / step * 64, (left + step - 1) / step, 64};
    stream_blocks<Math, R, P, 1, kBits, kZeros>(s, rest, Math::rows(call, s.row, R, k, left, input), totals);
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) {
      const int64_t column = (s.panel + p) * kPanel;
      write_panel(totals.at[r][p], call.bias == nullptr ? nullptr : call.bias + column, call.accumulate,
                  call.y + (s.row + r) * call.y_stride + column, call.w->n - column);
    }
  }
}

/// From a run-time count of rows to a template argument.
template <class Math, int R, int P>
void stream_rows(const Stream& s, int64_t rows) {
  if (rows != R) {
    if constexpr (R > 1) stream_rows<Math, R - 1, P>(s, rows);
    return;
  }
  const bool zeros = s.call->w->zeros != nullptr;
  if (s.call->w->bits == 4)
    return zeros ? stream_panels<Math, R, P, 4, true>(s) : stream_panels<Math, R, P, 4, false>(s);
  return zeros ? stream_panels<Math, R, P, 8, true>(s) : stream_panels<Math, R, P, 8, false>(s);
}

/// Row blocks are as equal as can be: 13 rows are 7 and 6, not 12 and 1.
template <class Math>
void walk_panels(const Call& call, int64_t row, int64_t rows, int64_t panel, int64_t panel_end) {
  const PackedCodes& w = *call.w;
  const int64_t bytes = packed_codes_panel_bytes(w.k, w.bits);
  const int64_t most_panels = rows == 1 ? kStreamPanels<1> : kTilePanels;
  const int64_t blocks = (rows + kTileRows - 1) / kTileRows;
  const int64_t small = rows / blocks, larger = rows % blocks;
  while (panel < panel_end) {
    const int64_t panels = panel + most_panels <= panel_end ? most_panels : 1;
    const uint8_t* tiles = w.tiles + panel * bytes;
    const bool next = panels * bytes <= kMostAheadBytes && (panels > 1 || blocks > 1);
    const char* ahead = reinterpret_cast<const char*>(tiles) + (next ? panels * bytes : kAheadBytes);
    Stream s{&call, row,
             panel, tiles,
             bytes, sum_block(w.group_size),
             ahead, blocks > 1 && next ? 64 / blocks + 1 : 64};
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t count = small + (b < larger ? 1 : 0);
      if (next) s.ahead = ahead + b * (panels * bytes / blocks);
      panels == 1 ? stream_rows<Math, kTileRows, 1>(s, count)
                  : stream_rows<Math, kTileRows, kTilePanels>(s, count);
      s.row += count;
    }
    panel += panels;
  }
}

template <class Math, class X>
void walk_chunks(const GemmUnpackArgs<X>& args) {
  const Call call{
      args.x,         sizeof(X) == sizeof(uint16_t), args.x_stride, &args.w, args.bias, args.y, args.y_stride,
      args.accumulate};
  const int64_t chunk = chunk_rows(args.row_end - args.row_begin, args.w.k * static_cast<int64_t>(sizeof(X)));
  for (int64_t row = args.row_begin; row < args.row_end; row += chunk) {
    const int64_t rows = row + chunk < args.row_end ? chunk : args.row_end - row;
    walk_panels<Math>(call, row, rows, args.panel_begin, args.panel_end);
  }
}

}  // namespace
}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
