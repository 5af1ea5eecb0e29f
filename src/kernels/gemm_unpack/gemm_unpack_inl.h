// The walk of gemm_unpack, over whichever vec16_*.h was included before. A `Math` says in what form weights
// are multiplied: Weight, Input, kStretch, unpack(), rows() and step(); see float_math_inl.h.
//
// Two panels (as gemm_f has tiles) of a stretch of columns are unpacked to the L1 cache; then all rows of a
// chunk pass over them. Their sums wait in `totals`: that costs a load and a store per block of 32 to 128
// columns.
#pragma once

#include "kernels/gemm_unpack/gemm_unpack.h"
// After the vocabulary.
#include "kernels/gemm_f/gemm_f_inl.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

template <class Math>
struct Scratch {
  alignas(64) typename Math::Weight weights[kTilePanels][Math::kStretch * kPanel];
  alignas(64) typename Math::Input input[Math::kInputs];
  alignas(64) float totals[kChunkRows][kTilePanels][kPanel];
};

/// Columns [begin, end) of some panels, whose weights lie unpacked in a Scratch.
struct Stretch {
  int64_t panel, begin, end;
};

/// Blocks of columns summed side by side, so that few rows too have chains enough in flight.
template <int R, int P>
inline constexpr int kBlocks = R * P * 4 <= kTileRows * kTilePanels   ? 4
                               : R * P * 2 <= kTileRows * kTilePanels ? 2
                                                                      : 1;

/// Group of column k; 0 when there is one.
inline int64_t group_of(const PackedCodes& w, int64_t k) {
  return w.group_size == 0 ? 0 : k / w.group_size;
}
inline int64_t groups(const PackedCodes& w) {
  return w.group_size == 0 ? 1 : w.k / w.group_size;
}

template <class Math, class X>
void unpack_stretch(const GemmUnpackArgs<X>& args, const Stretch& s, int panels, Scratch<Math>& scratch) {
  const PackedCodes& w = args.w;
  const int64_t block = sum_block(w.group_size), step = codes_tile_k(w.bits);
  for (int p = 0; p < panels; ++p) {
    const uint8_t* tiles = w.tiles + (s.panel + p) * packed_codes_panel_bytes(w.k, w.bits);
    for (int64_t k = s.begin; k < s.end; k += block) {
      const int64_t end = k + block < s.end ? k + block : s.end;
      const int8_t* zeros =
          w.zeros == nullptr ? nullptr : w.zeros + ((s.panel + p) * groups(w) + group_of(w, k)) * kPanel;
      Math::unpack(tiles + k / step * 64, (end - k + step - 1) / step, w.bits, zeros,
                   scratch.weights[p] + (k - s.begin) * kPanel);
    }
  }
}

/// B blocks from column k on: their dot products, then the sums.
template <class Math, int R, int P, int B, class X>
inline __attribute__((always_inline)) void add_blocks(const GemmUnpackArgs<X>& args, const Stretch& s,
                                                      int64_t k, int64_t columns,
                                                      const typename Math::template Rows<R>& x,
                                                      Scratch<Math>& scratch, float* totals) {
  const int64_t block = sum_block(args.w.group_size), offset = k - s.begin;
  Accumulators<R, P> acc[B];
  for (int64_t i = 0; i < columns; i += 2) {
#pragma GCC unroll 4
    for (int b = 0; b < B; ++b) {
      const int64_t at = offset + b * block + i;
      Math::template step<R, P>(&scratch.weights[0][at * kPanel], x, at, acc[b]);
    }
  }
#pragma GCC unroll 4
  for (int b = 0; b < B; ++b) {
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) {
      const int64_t group = (s.panel + p) * groups(args.w) + group_of(args.w, k + b * block);
      const Vec scale = load(args.w.scales + group * kPanel);
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) {
        float* total = totals + (r * kTilePanels + p) * kPanel;
        store(total, fma(acc[b].at[r][p], scale, load(total)));
      }
    }
  }
}

template <class Math, int R, int P, class X>
void row_tile(const GemmUnpackArgs<X>& args, const Stretch& s, int64_t row, Scratch<Math>& scratch,
              float* totals) {
  constexpr int kSideBySide = kBlocks<R, P>;
  const int64_t block = sum_block(args.w.group_size);
  const auto x = Math::template rows<R>(args.x + row * args.x_stride + s.begin, args.x_stride,
                                        s.end - s.begin, scratch.input);
  int64_t k = s.begin;
  for (; k + kSideBySide * block <= s.end; k += kSideBySide * block)
    add_blocks<Math, R, P, kSideBySide>(args, s, k, block, x, scratch, totals);
  for (; k < s.end; k += block) {
    const int64_t columns = s.end - k < block ? s.end - k : block;
    add_blocks<Math, R, P, 1>(args, s, k, columns, x, scratch, totals);
  }
}

/// From a run-time count of rows to a template argument.
template <class Math, int R, int P, class X>
void choose_tile(const GemmUnpackArgs<X>& args, const Stretch& s, int64_t row, int64_t rows,
                 Scratch<Math>& scratch, float* totals) {
  if (rows == R) return row_tile<Math, R, P>(args, s, row, scratch, totals);
  if constexpr (R > 1) choose_tile<Math, R - 1, P>(args, s, row, rows, scratch, totals);
}

template <class X>
void finish_row(const GemmUnpackArgs<X>& args, int64_t row, int64_t panel, Vec value) {
  const int64_t column = panel * kPanel;
  const float* bias = args.bias == nullptr ? nullptr : args.bias + column;
  write_panel(value, bias, args.accumulate, args.y + row * args.y_stride + column, args.w.n - column);
}

/// P panels of a chunk of rows. Row blocks are as equal as can be: 13 rows are 7 and 6, not 12 and 1.
template <class Math, int P, class X>
void walk_panels(const GemmUnpackArgs<X>& args, int64_t row, int64_t rows, int64_t panel,
                 Scratch<Math>& scratch) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int p = 0; p < P; ++p)
      store(scratch.totals[r][p], zero());
  }
  const int64_t blocks = (rows + kTileRows - 1) / kTileRows;
  const int64_t small = rows / blocks, larger = rows % blocks;
  for (int64_t k = 0; k < args.w.k; k += Math::kStretch) {
    const Stretch s{panel, k, k + Math::kStretch < args.w.k ? k + Math::kStretch : args.w.k};
    unpack_stretch<Math>(args, s, P, scratch);
    int64_t done = 0;
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t count = small + (b < larger ? 1 : 0);
      choose_tile<Math, kTileRows, P>(args, s, row + done, count, scratch, scratch.totals[done][0]);
      done += count;
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int p = 0; p < P; ++p)
      finish_row(args, row + r, panel + p, load(scratch.totals[r][p]));
  }
}

template <class Math, class X>
void walk_unpacked(const GemmUnpackArgs<X>& args) {
  Scratch<Math> scratch;
  const int64_t chunk = chunk_rows(args.w.k * static_cast<int64_t>(sizeof(X)));
  for (int64_t row = args.row_begin; row < args.row_end; row += chunk) {
    const int64_t rows = row + chunk < args.row_end ? chunk : args.row_end - row;
    int64_t panel = args.panel_begin;
    if constexpr (kTilePanels == 2) {
      for (; panel + 2 <= args.panel_end; panel += 2)
        walk_panels<Math, 2>(args, row, rows, panel, scratch);
    }
    for (; panel < args.panel_end; ++panel)
      walk_panels<Math, 1>(args, row, rows, panel, scratch);
  }
}

}  // namespace
}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
