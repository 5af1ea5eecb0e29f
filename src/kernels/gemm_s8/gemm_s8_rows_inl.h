// gemm_s8 over row-major weights, for every instruction set: the tile is a panel of 16 columns, in fours.
// What
// --weight-layout nd runs, so that the tiles' worth can be measured; dot products along K, so that every four
// columns end in horizontal sums, and groups in many of them. The including file has included gemm_s8_inl.h,
// and defines
//   inline constexpr int kRowsAtOnce
//   template <int R> void dot_fours(const Tile&, int64_t k_begin, int64_t k_end, int64_t column, int32_t
//   (*sums)[kPanel])
//       sums[r][column .. column + 3] of R rows; k_begin and k_end are multiples of 32
//   Vec to_float(const int32_t*)
#pragma once

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

int64_t tile_rows(const PackedS8&) {
  return kRowsAtOnce;
}
int64_t tile_panels(int64_t, const PackedS8&) {
  return 1;
}

/// Adds what the sums of a row's group begin with.
inline void add_start(const Tile& t, int64_t r, int64_t group, int32_t* sums) {
  const PackedS8& w = t.args->w;
  const int64_t column = t.panel * kPanel;
  const int32_t correction = t.corrections[r * t.groups + group];
  if (w.zeros == nullptr) {
    for (int64_t i = 0; i < kPanel; ++i)
      sums[i] += correction;
  } else {
    const uint8_t* zeros = w.zeros + group_at(t, t.panel, group);
    for (int64_t i = 0; i < kPanel; ++i)
      sums[i] += correction * zeros[i];
  }
  if (w.offsets == nullptr) return;
  for (int64_t i = 0; i < kPanel; ++i)
    sums[i] += w.offsets[column + i];
}

template <int R>
void rows_tile(const Tile& t) {
  const PackedS8& w = t.args->w;
  const int64_t step = t.grouped ? w.group_size : padded_k(w.k);
  Vec total[R];
  for (Vec& v : total)
    v = zero();
  for (int64_t group = 0; group < t.groups; ++group) {
    alignas(64) int32_t sums[R][kPanel];
    for (int64_t column = 0; column < kPanel; column += 4)
      dot_fours<R>(t, group * step, (group + 1) * step, column, sums);
    for (int r = 0; r < R; ++r) {
      add_start(t, r, group, sums[r]);
      if (t.sums != nullptr) {
        for (int64_t i = 0; i < valid_columns(*t.args, t.panel); ++i)
          sums_at(t, t.row + r, t.panel, group)[i] = sums[r][i];
        continue;
      }
      Vec value = to_float(sums[r]);
      if (t.args->x.group_size != 0) value = mul(value, set1(row_scale(t, t.row + r, group)));
      const float* scales = w.scales + group_at(t, t.panel, group);
      total[r] = t.grouped ? fma(value, load(scales), total[r]) : value;
    }
  }
  if (t.sums != nullptr) return;
  for (int r = 0; r < R; ++r)
    finish(t, t.row + r, t.panel, total[r]);
}

/// From a run-time count to a template argument.
template <int R>
void choose_rows(const Tile& t, int64_t rows) {
  if (rows == R) return rows_tile<R>(t);
  if constexpr (R > 1) choose_rows<R - 1>(t, rows);
}

void tile(const Tile& t, int64_t rows, int64_t) {
  choose_rows<kRowsAtOnce>(t, rows);
}

}  // namespace

void gemm_s8_rows(const GemmS8Args& args) {
  walk(args, nullptr);
}
void gemm_s8_rows_sums(const GemmS8Args& args, const Sums& sums) {
  walk(args, &sums);
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
