#include "ops/linear_input.h"

#include "kernels/gemm_f/gemm_bf16.h"
#include "kernels/quantize_rows/code_range.h"
#include "kernels/quantize_rows/quantize_rows.h"
#include "ops/parallel_rows.h"

namespace tessera::ops {

void LinearInput::reset(MatrixView<const float> x) {
  x_ = x;
  codes_made_ = 0;
  has_bf16_ = false;
}

kernels::QuantizedRows LinearInput::quantized(const quant::ActivationScheme& scheme,
                                              const quant::StaticScale& fixed, ThreadPool& pool) {
  for (size_t i = 0; i < codes_made_; ++i) {
    if (codes_[i].scheme == scheme && codes_[i].fixed == fixed) return view(codes_[i]);
  }
  if (codes_made_ == codes_.size()) codes_.emplace_back();
  Codes& codes = codes_[codes_made_++];
  codes.scheme = scheme;
  codes.fixed = fixed;
  quantize(codes, pool);
  return view(codes);
}

void LinearInput::quantize(Codes& codes, ThreadPool& pool) const {
  const int64_t stride = kernels::padded_k(x_.cols);
  const int64_t sums_stride = stride / kernels::kSumBlock;
  codes.codes.reserve(static_cast<size_t>(x_.rows * stride));
  codes.scales.reserve(static_cast<size_t>(x_.rows) * sizeof(float));
  codes.sums.reserve(static_cast<size_t>(x_.rows * sums_stride) * sizeof(int32_t));
  const kernels::CodeRange range = kernels::code_range(codes.scheme);
  parallel_rows(pool, x_.rows, x_.cols, [&](int64_t begin, int64_t end) {
    kernels::quantize_rows({.x = x_.row(begin),
                            .x_stride = x_.stride,
                            .rows = end - begin,
                            .k = x_.cols,
                            .range = range,
                            .codes = codes.codes.as<int8_t>() + begin * stride,
                            .codes_stride = stride,
                            .scales = codes.scales.as<float>() + begin,
                            .block_sums = codes.sums.as<int32_t>() + begin * sums_stride,
                            .sums_stride = sums_stride});
  });
}

kernels::QuantizedRows LinearInput::view(const Codes& codes) const {
  const int64_t stride = kernels::padded_k(x_.cols);
  return {.codes = codes.codes.as<int8_t>(),
          .codes_stride = stride,
          .scales = codes.scales.as<float>(),
          .block_sums = codes.sums.as<int32_t>(),
          .sums_stride = stride / kernels::kSumBlock};
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
