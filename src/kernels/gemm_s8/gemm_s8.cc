#include "kernels/gemm_s8/gemm_s8.h"

#include "kernels/simd/vec16_scalar.h"
// After the vocabulary it is written in.
#include "base/check.h"
#include "kernels/gemm_s8/gemm_s8_inl.h"
#include "kernels/variant.h"

namespace tessera::kernels {
namespace avx2 {
void gemm_s8(const GemmS8Args& args);
void gemm_s8_sums(const GemmS8Args& args, const Sums& sums);
void gemm_s8_rows(const GemmS8Args& args);
void gemm_s8_rows_sums(const GemmS8Args& args, const Sums& sums);
}  // namespace avx2
namespace avx512 {
void gemm_s8(const GemmS8Args& args);
void gemm_s8_sums(const GemmS8Args& args, const Sums& sums);
void gemm_s8_rows(const GemmS8Args& args);
void gemm_s8_rows_sums(const GemmS8Args& args, const Sums& sums);
}  // namespace avx512

namespace scalar {
namespace {

int64_t tile_rows(const PackedS8&) {
  return 1;
}
int64_t tile_panels(int64_t, const PackedS8&) {
  return 1;
}

/// sums[column] += products of k_begin..k_end of one row and one panel of rows.
void dot_rows(const Tile& t, int64_t k_begin, int64_t k_end, int32_t* sums) {
  const PackedS8& w = t.args->w;
  const int64_t row_bytes = packed_s8_panel_bytes(w.k, w.bits) / kPanel;
  const int8_t* x = t.args->x.codes + t.row * t.args->x.codes_stride;
  for (int64_t column = 0; column < kPanel; ++column) {
    const uint8_t* from = w.tiles + (t.panel * kPanel + column) * row_bytes;
    for (int64_t k = k_begin; k < k_end; ++k) {
      const int byte = w.bits == 8 ? from[k] : from[k / 64 * 32 + k % 32];
      sums[column] += (w.bits == 8 ? byte : k % 64 < 32 ? byte & 0xf : byte >> 4) * x[k];
    }
  }
}

/// sums[column] += products of k_begin..k_end of one row and one panel of tiles.
void dot(const Tile& t, int64_t k_begin, int64_t k_end, int32_t* sums) {
  const PackedS8& w = t.args->w;
  const uint8_t* panel = w.tiles + t.panel * packed_s8_panel_bytes(w.k, w.bits);
  const int8_t* x = t.args->x.codes + t.row * t.args->x.codes_stride;
  for (int64_t k = k_begin; k < k_end; k += 4) {
    const uint8_t* tile = panel + (w.bits == 8 ? k / 4 : k / 8) * 64;
    const int shift = w.bits == 4 && k % 8 != 0 ? 4 : 0;
    const int mask = w.bits == 4 ? 0xf : 0xff;
    for (int64_t column = 0; column < kPanel; ++column) {
      for (int64_t j = 0; j < 4; ++j)
        sums[column] += (tile[column * 4 + j] >> shift & mask) * x[k + j];
    }
  }
}

/// What the sums of a row's group begin with.
void start(const Tile& t, int64_t group, int32_t* sums) {
  const PackedS8& w = t.args->w;
  const int64_t column = t.panel * kPanel;
  for (int64_t i = 0; i < kPanel; ++i) {
    sums[i] = t.corrections[group] * (w.zeros == nullptr ? 1 : w.zeros[group_at(t, t.panel, group) + i]);
    if (w.offsets != nullptr) sums[i] += w.offsets[column + i];
  }
}

void tile(const Tile& t, int64_t, int64_t) {
  const PackedS8& w = t.args->w;
  const int64_t step = t.grouped ? w.group_size : padded_k(w.k);
  Vec total = zero();
  for (int64_t group = 0; group < t.groups; ++group) {
    int32_t sums[kPanel];
    start(t, group, sums);
    (w.layout == S8Layout::kRows ? dot_rows : dot)(t, group * step, (group + 1) * step, sums);
    if (t.sums != nullptr) {
      for (int64_t i = 0; i < valid_columns(*t.args, t.panel); ++i)
        sums_at(t, t.row, t.panel, group)[i] = sums[i];
      continue;
    }
    Vec value = generate([&](int i) { return static_cast<float>(sums[i]); });
    if (t.args->x.group_size != 0) value = mul(value, set1(row_scale(t, t.row, group)));
    total = t.grouped ? fma(value, load(w.scales + group_at(t, t.panel, group)), total) : value;
  }
  if (t.sums == nullptr) finish(t, t.row, t.panel, total);
}

}  // namespace

void gemm_s8(const GemmS8Args& args) {
  walk(args, nullptr);
}
void gemm_s8_sums(const GemmS8Args& args, const Sums& sums) {
  walk(args, &sums);
}
}  // namespace scalar

namespace {

struct Functions {
  void (*run)(const GemmS8Args&);
  void (*sums)(const GemmS8Args&, const Sums&);
  // Row-major weights.
  void (*run_rows)(const GemmS8Args&);
  void (*sums_rows)(const GemmS8Args&, const Sums&);
};

constexpr Variant<Functions> kVariants[] = {
    {Isa::kScalar, {scalar::gemm_s8, scalar::gemm_s8_sums, scalar::gemm_s8, scalar::gemm_s8_sums}},
    {Isa::kAvx2, {avx2::gemm_s8, avx2::gemm_s8_sums, avx2::gemm_s8_rows, avx2::gemm_s8_rows_sums}},
    {Isa::kAvx512, {avx512::gemm_s8, avx512::gemm_s8_sums, avx512::gemm_s8_rows, avx512::gemm_s8_rows_sums}},
};

const Variant<Functions>& chosen() {
  static const Variant<Functions>& variant = choose_variant<Functions>(kVariants);
  return variant;
}

void check_args([[maybe_unused]] const GemmS8Args& args) {
  DCHECK(args.w.bits == 4 || args.w.bits == 8, "weight bits {}", args.w.bits);
  DCHECK(args.w.k >= 1 && args.w.k <= kMaxGemmS8K, "k={}", args.w.k);
  DCHECK(args.w.group_size == 0 || (args.w.group_size % kSumBlock == 0 && args.w.k % args.w.group_size == 0),
         "group size {} with k={}", args.w.group_size, args.w.k);
  DCHECK(args.x.group_size == 0 || (args.w.group_size != 0 && args.x.group_size % args.w.group_size == 0),
         "rows in groups of {}, weights of {}", args.x.group_size, args.w.group_size);
  DCHECK(args.w.offsets == nullptr || args.w.group_size == 0, "offsets with groups of {}", args.w.group_size);
  DCHECK(args.x.codes_stride >= padded_k(args.w.k) || args.row_end - args.row_begin <= 1,
         "codes stride {} with k={}", args.x.codes_stride, args.w.k);
  DCHECK(args.panel_begin >= 0 && args.panel_end <= panels(args.w.n), "panels {}..{} with n={}",
         args.panel_begin, args.panel_end, args.w.n);
}

}  // namespace

void gemm_s8(const GemmS8Args& args) {
  check_args(args);
  const Functions& f = chosen().fn;
  (args.w.layout == S8Layout::kRows ? f.run_rows : f.run)(args);
}

void gemm_s8_sums(const GemmS8Args& args, const Sums& sums) {
  check_args(args);
  const Functions& f = chosen().fn;
  (args.w.layout == S8Layout::kRows ? f.sums_rows : f.sums)(args, sums);
}

const char* gemm_s8_variant() {
  return isa_name(chosen().isa).data();
}

}  // namespace tessera::kernels
