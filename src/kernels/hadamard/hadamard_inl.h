// The body of hadamard for whichever vec16_*.h was included before. The four butterflies within a register
// are butterflies between the registers of a transposed 16 x 16 block.
#pragma once

#include "kernels/hadamard/hadamard.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

inline constexpr int kMixed = kVecRegisters >= 32 ? 8 : 4;

/// Strides 1, 2, 4, 8 of up to 16 registers' worth of floats, times `scale`.
inline void within_registers(float* x, int64_t count, Vec scale) {
  Vec m[16];
  for (int64_t i = 0; i < 16; ++i)
    m[i] = i < count ? mul(load(x + i * kLanes), scale) : zero();
  transpose(m);
#pragma GCC unroll 4
  for (int h = 1; h < 16; h *= 2) {
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) {
      if ((i & h) != 0) continue;
      const Vec a = m[i], b = m[i + h];
      m[i] = add(a, b);
      m[i + h] = sub(a, b);
    }
  }
  transpose(m);
  for (int64_t i = 0; i < count; ++i)
    store(x + i * kLanes, m[i]);
}

/// Strides 16, 32, ... of one run of 2^m floats.
inline void between_registers(float* x, int64_t run) {
  for (int64_t h = kLanes; h < run; h *= 2) {
    for (int64_t begin = 0; begin < run; begin += 2 * h) {
      for (int64_t i = begin; i < begin + h; i += kLanes) {
        const Vec a = load(x + i), b = load(x + i + h);
        store(x + i, add(a, b));
        store(x + i + h, sub(a, b));
      }
    }
  }
}

/// out[d] = sum_b signs[b * b_step + d * d_step] * in[b], for D outputs; a register each.
template <int D>
inline void mix(const float* in, const float* signs, int64_t base, int64_t b_step, int64_t d_step, float* out,
                int64_t out_step) {
  Vec acc[D];
#pragma GCC unroll 8
  for (int d = 0; d < D; ++d)
    acc[d] = zero();
  for (int64_t b = 0; b < base; ++b) {
    const Vec value = load(in + b * kLanes);
#pragma GCC unroll 8
    for (int d = 0; d < D; ++d)
      acc[d] = fma(set1(signs[b * b_step + d * d_step]), value, acc[d]);
  }
#pragma GCC unroll 8
  for (int d = 0; d < D; ++d)
    store(out + d * out_step, acc[d]);
}

/// B between the runs of a block, 16 columns of all runs at a time.
inline void mix_runs(const HadamardArgs& args, float* x, int64_t run) {
  alignas(64) float in[kMaxHadamardBase * 16];
  const int64_t b_step = args.transposed ? 1 : args.base, d_step = args.transposed ? args.base : 1;
  for (int64_t at = 0; at < run; at += kLanes) {
    for (int64_t b = 0; b < args.base; ++b)
      store(in + b * kLanes, load(x + at + b * run));
    int64_t d = 0;
    for (; d + kMixed <= args.base; d += kMixed)
      mix<kMixed>(in, args.signs + d * d_step, args.base, b_step, d_step, x + at + d * run, run);
    for (; d < args.base; d += 4)
      mix<4>(in, args.signs + d * d_step, args.base, b_step, d_step, x + at + d * run, run);
  }
}

/// Runs shorter than a register: float by float, in the same order.
inline void short_block(const HadamardArgs& args, float* x, int64_t run, float scale) {
  float in[kMaxHadamardBase * 16];
  for (int64_t i = 0; i < args.block; ++i)
    in[i] = x[i] * scale;
  for (int64_t h = 1; h < run; h *= 2) {
    for (int64_t i = 0; i < args.block; ++i) {
      if ((i & h) != 0) continue;
      const float a = in[i], b = in[i + h];
      in[i] = a + b;
      in[i + h] = a - b;
    }
  }
  for (int64_t i = 0; i < args.block; ++i) {
    if (args.base == 1) {
      x[i] = in[i];
      continue;
    }
    float sum = 0;
    const int64_t d = i / run;
    for (int64_t b = 0; b < args.base; ++b) {
      const float sign = args.signs[args.transposed ? d * args.base + b : b * args.base + d];
      sum += sign * in[b * run + i % run];
    }
    x[i] = sum;
  }
}

inline void transform_row(const HadamardArgs& args, float* x, float scale) {
  const int64_t run = args.block / args.base;
  if (run < kLanes) {
    for (int64_t begin = 0; begin < args.k; begin += args.block)
      short_block(args, x + begin, run, scale);
    return;
  }
  const int64_t registers = args.k / kLanes;
  for (int64_t i = 0; i < registers; i += 16)
    within_registers(x + i * kLanes, registers - i < 16 ? registers - i : 16, set1(scale));
  for (int64_t begin = 0; begin < args.k; begin += run)
    between_registers(x + begin, run);
  if (args.base == 1) return;
  for (int64_t begin = 0; begin < args.k; begin += args.block)
    mix_runs(args, x + begin, run);
}

}  // namespace

void hadamard(const HadamardArgs& args, float scale) {
  for (int64_t row = 0; row < args.rows; ++row)
    transform_row(args, args.x + row * args.x_stride, scale);
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
