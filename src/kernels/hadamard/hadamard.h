// Walsh-Hadamard transform of float32 rows, block by block along the row, in place: y = x H / sqrt(n), or
// with H^T, which undoes it.
//
//   H = B (x) S:  H[b*2^m + a, d*2^m + c] = B[b,d] * (-1)^popcount(a & c),   n = base * 2^m
//
// B = [1] where n is a power of two: Sylvester's matrix, what compressed-tensors calls `hadamard`. For other
// sizes no format prescribes B: compressed-tensors' `random-hadamard` stores its matrix, from which B can be
// had; hadamard_base() is ours, and whoever folds it into weights must use this one. Costs n * (m + base)
// additions; a row is read from memory once when it fits the L1 cache.
//
// Order: x * (1 / sqrt(n)); the butterflies of S with strides 1, 2, 4, ...; the rows of B ascending, each a
// fused multiply-add from 0. So y has the same bits on every instruction set; NaN and infinity stay in their
// block. Pure and thread-safe: callers split rows.
#pragma once

#include <stdint.h>

namespace tessera::kernels {

inline constexpr int64_t kMaxHadamardBase = 256;

/// The smallest order of a matrix of ours such that n is that order times a power of two; 0 when there is
/// none up to kMaxHadamardBase. Paley's second construction (symmetric) from primes and their squares, else
/// his first from primes: 1, and 4 times the odd numbers 3 to 63 but 23, 29, 39, 43, 47 and 59.
int64_t hadamard_base(int64_t n);

/// Writes B of that order, [base, base] row-major, 1 and -1. B B^T = base * I.
void hadamard_signs(int64_t base, float* signs);

struct HadamardArgs {
  float* x = nullptr;    // [rows, k], in place
  int64_t x_stride = 0;  // elements
  int64_t rows = 0;
  int64_t k = 0;
  int64_t block = 0;             // n: divides k; base times a power of two
  int64_t base = 1;              // order of B: 1, or a multiple of 4 up to kMaxHadamardBase
  const float* signs = nullptr;  // B, as from hadamard_signs(base); not read when base is 1
  bool transposed = false;       // H^T
};

void hadamard(const HadamardArgs& args);
const char* hadamard_variant();

}  // namespace tessera::kernels
