#include "ops/linear_input.h"

#include "kernels/gemm_f/gemm_bf16.h"
#include "kernels/quantize_rows/code_range.h"
#include "kernels/quantize_rows/quantize_rows.h"
#include "ops/parallel_rows.h"

namespace tessera::ops {

void LinearInput::reset(MatrixView<const float> x) {
  x_ = x;
  codes_scheme_.reset();
  has_bf16_ = false;
}

kernels::QuantizedRows LinearInput::quantized(const quant::ActivationScheme& scheme, ThreadPool& pool) {
  const int64_t stride = kernels::padded_k(x_.cols);
  const int64_t sums_stride = stride / kernels::kSumBlock;
  if (codes_scheme_ != scheme) {
    codes_.reserve(static_cast<size_t>(x_.rows * stride));
    scales_.reserve(static_cast<size_t>(x_.rows) * sizeof(float));
    sums_.reserve(static_cast<size_t>(x_.rows * sums_stride) * sizeof(int32_t));
    const kernels::CodeRange range = kernels::code_range(scheme);
    parallel_rows(pool, x_.rows, x_.cols, [&](int64_t begin, int64_t end) {
      kernels::quantize_rows({.x = x_.row(begin),
                              .x_stride = x_.stride,
                              .rows = end - begin,
                              .k = x_.cols,
                              .range = range,
                              .codes = codes_.as<int8_t>() + begin * stride,
                              .codes_stride = stride,
                              .scales = scales_.as<float>() + begin,
                              .block_sums = sums_.as<int32_t>() + begin * sums_stride,
                              .sums_stride = sums_stride});
    });
    codes_scheme_ = scheme;
  }
  return {.codes = codes_.as<int8_t>(),
          .codes_stride = stride,
          .scales = scales_.as<float>(),
          .block_sums = sums_.as<int32_t>(),
          .sums_stride = sums_stride};
}

MatrixView<const uint16_t> LinearInput::bf16(ThreadPool& pool) {
  const int64_t stride = kernels::padded_k_bf16(x_.cols);
  if (!has_bf16_) {
    bf16_.reserve(static_cast<size_t>(x_.rows * stride) * sizeof(uint16_t));
    parallel_rows(pool, x_.rows, x_.cols, [&](int64_t begin, int64_t end) {
      kernels::round_rows_bf16(x_.row(begin), x_.stride, end - begin, x_.cols,
                               bf16_.as<uint16_t>() + begin * stride, stride);
    });
    has_bf16_ = true;
  }
  return {bf16_.as<const uint16_t>(), x_.rows, stride};
}

}  // namespace tessera::ops
