// gemm_unpack in float32, for whichever vec16_*.h was included before: two panels (one, where registers are
// few) of a stretch of columns are unpacked to floats in the L1 cache; then all rows of a chunk pass over
// them, widened once per stretch too, so that the inner loop is that of a float32 GEMM. Their sums wait in
// `totals`: that costs a load and a store per block of columns. The including file gives
//   struct Words; Words load_words(const uint8_t*)     16 words of 32 bits
//   Vec field(Words, int shift, int mask)              (word >> shift & mask) of each, as float
#pragma once

// After the vocabulary.
#include "kernels/gemm_unpack/gemm_unpack_inl.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

inline constexpr int64_t kStretch = 256;

struct Scratch {
  alignas(64) float weights[kTilePanels][kStretch * kPanel];
  alignas(64) float input[kTileRows][kStretch];
  alignas(64) float totals[kMostChunkRows][kTilePanels][kPanel];
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

template <int kBits>
inline void unpack_tiles(const TileRun& tiles, Vec zero_code, float* out) {
  constexpr int kColumns = 32 / kBits;
  for (int64_t t = 0; t < tiles.count; ++t, out += kColumns * kPanel) {
    const Words words = load_words(tiles.first + t * tiles.step);
#pragma GCC unroll 8
    for (int i = 0; i < kColumns; ++i) {
      const int shift = kBits == 8 ? i * 8 : i % 2 * 16 + i / 2 * 4;
      store(out + i * kPanel, sub(field(words, shift, (1 << kBits) - 1), zero_code));
    }
  }
}

/// count <= 256 columns as floats, one more 0 when that is odd.
inline void widen_row(const float* x, int64_t count, float* out) {
  for (int64_t i = 0; i < count; i += kLanes)
    store(out + i, load_n(x + i, count - i < kLanes ? count - i : kLanes));
}
inline void widen_row(const uint16_t* x, int64_t count, float* out) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    store(out + i, load_bf16(x + i));
  for (; i < count; ++i)
    out[i] = widen(x[i]);
  if (count % 2 != 0) out[count] = 0;
}

/// -> [k][16] floats.
inline void unpack(const TileRun& tiles, int bits, const int8_t* zeros, float* out) {
  float bias[kPanel];
  for (int64_t i = 0; i < kPanel; ++i)
    bias[i] = static_cast<float>((1 << (bits - 1)) + (zeros == nullptr ? 0 : zeros[i]));
  if (bits == 4) return unpack_tiles<4>(tiles, load(bias), out);
  unpack_tiles<8>(tiles, load(bias), out);
}

/// Columns k, k + 1 of the stretch.
template <int R, int P>
inline __attribute__((always_inline)) void step(const float* w, const float* x, Accumulators<R, P>& acc) {
#pragma GCC unroll 2
  for (int i = 1; i >= 0; --i) {
    Vec weights[P];
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p)
      weights[p] = load(w + (p * kStretch + i) * kPanel);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const Vec value = set1(x[r * kStretch + i]);
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p)
        acc.at[r][p] = fma(value, weights[p], acc.at[r][p]);
    }
  }
}

/// Where the tiles of the block at column k lie in their panel.
inline BlockTiles tiles_of(const PackedCodes& w, int64_t k) {
  const int64_t block = sum_block(w.group_size);
  return block_tiles(k / block, w.k / block, block / codes_tile_k(w.bits));
}

template <class X>
void unpack_stretch(const GemmUnpackArgs<X>& args, const Stretch& s, int panels, Scratch& scratch) {
  const PackedCodes& w = args.w;
  const int64_t block = sum_block(w.group_size), step = codes_tile_k(w.bits);
  for (int p = 0; p < panels; ++p) {
    const uint8_t* panel = w.tiles + (s.panel + p) * packed_codes_panel_bytes(w.k, w.bits);
    for (int64_t k = s.begin; k < s.end; k += block) {
      const int64_t end = k + block < s.end ? k + block : s.end;
      const BlockTiles tiles = tiles_of(w, k);
      const int8_t* zeros =
          w.zeros == nullptr ? nullptr : w.zeros + ((s.panel + p) * groups(w) + group_of(w, k)) * kPanel;
      unpack({panel + tiles.first * 64, (end - k + step - 1) / step, tiles.step * 64}, w.bits, zeros,
             scratch.weights[p] + (k - s.begin) * kPanel);
    }
  }
}

/// B blocks from column k on: their dot products, then the sums.
template <int R, int P, int B, class X>
inline __attribute__((always_inline)) void add_blocks(const GemmUnpackArgs<X>& args, const Stretch& s,
                                                      int64_t k, int64_t columns, Scratch& scratch,
                                                      float* totals) {
  const int64_t block = sum_block(args.w.group_size), offset = k - s.begin;
  Accumulators<R, P> acc[B];
  for (int64_t i = 0; i < columns; i += 2) {
#pragma GCC unroll 4
    for (int b = 0; b < B; ++b) {
      const int64_t at = offset + b * block + i;
      step<R, P>(&scratch.weights[0][at * kPanel], scratch.input[0] + at, acc[b]);
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

template <int R, int P, class X>
void row_tile(const GemmUnpackArgs<X>& args, const Stretch& s, int64_t row, Scratch& scratch, float* totals) {
  constexpr int kSideBySide = kBlocks<R, P>;
  const int64_t block = sum_block(args.w.group_size);
  for (int r = 0; r < R; ++r)
    widen_row(args.x + (row + r) * args.x_stride + s.begin, s.end - s.begin, scratch.input[r]);
  int64_t k = s.begin;
  for (; k + kSideBySide * block <= s.end; k += kSideBySide * block)
    add_blocks<R, P, kSideBySide>(args, s, k, block, scratch, totals);
  for (; k < s.end; k += block) {
    const int64_t columns = s.end - k < block ? s.end - k : block;
    add_blocks<R, P, 1>(args, s, k, columns, scratch, totals);
  }
}

/// From a run-time count of rows to a template argument.
template <int R, int P, class X>
void choose_tile(const GemmUnpackArgs<X>& args, const Stretch& s, int64_t row, int64_t rows, Scratch& scratch,
                 float* totals) {
  if (rows == R) return row_tile<R, P>(args, s, row, scratch, totals);
  if constexpr (R > 1) choose_tile<R - 1, P>(args, s, row, rows, scratch, totals);
}

/// P panels of a chunk of rows. Row blocks are as equal as can be: 13 rows are 7 and 6, not 12 and 1.
template <int P, class X>
void walk_panels(const GemmUnpackArgs<X>& args, int64_t row, int64_t rows, int64_t panel, Scratch& scratch) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int p = 0; p < P; ++p)
      store(scratch.totals[r][p], zero());
  }
  const int64_t blocks = (rows + kTileRows - 1) / kTileRows;
  const int64_t small = rows / blocks, larger = rows % blocks;
  for (int64_t k = 0; k < args.w.k; k += kStretch) {
    const Stretch s{panel, k, k + kStretch < args.w.k ? k + kStretch : args.w.k};
    unpack_stretch(args, s, P, scratch);
    int64_t done = 0;
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t count = small + (b < larger ? 1 : 0);
      choose_tile<kTileRows, P>(args, s, row + done, count, scratch, scratch.totals[done][0]);
      done += count;
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int p = 0; p < P; ++p)
      finish_row(args, row + r, panel + p, load(scratch.totals[r][p]));
  }
}

template <class X>
void walk_unpacked(const GemmUnpackArgs<X>& args) {
  Scratch scratch;
  const int64_t chunk = chunk_rows(args.row_end - args.row_begin, args.w.k * static_cast<int64_t>(sizeof(X)));
  for (int64_t row = args.row_begin; row < args.row_end; row += chunk) {
    const int64_t rows = row + chunk < args.row_end ? chunk : args.row_end - row;
    int64_t panel = args.panel_begin;
    if constexpr (kTilePanels == 2) {
      for (; panel + 2 <= args.panel_end; panel += 2)
        walk_panels<2>(args, row, rows, panel, scratch);
    }
    for (; panel < args.panel_end; ++panel)
      walk_panels<1>(args, row, rows, panel, scratch);
  }
}

}  // namespace

void gemm_unpack(const GemmUnpackArgs<uint16_t>& args) {
  walk_unpacked(args);
}
void gemm_unpack(const GemmUnpackArgs<float>& args) {
  walk_unpacked(args);
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
