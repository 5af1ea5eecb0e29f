// gate = silu(gate) * up over the rows of a batch, split over the workers.
#pragma once

#include "base/thread_pool.h"
#include "kernels/silu_mul/silu_mul.h"
#include "ops/parallel_rows.h"
#include "tensor/matrix.h"

namespace tessera::ops {

/// Both [rows, intermediate].
inline void silu_mul_rows(MatrixView<float> gate, MatrixView<const float> up, ThreadPool& pool) {
  parallel_rows(pool, gate.rows, gate.cols, [&](int64_t begin, int64_t end) {
    kernels::silu_mul({.gate = gate.row(begin),
                       .gate_stride = gate.stride,
                       .up = up.row(begin),
                       .up_stride = up.stride,
                       .y = gate.row(begin),
                       .y_stride = gate.stride,
                       .rows = end - begin,
                       .cols = gate.cols});
  });
}

}  // namespace tessera::ops
