#include "ops/linear_input.h"

#include "kernels/gemm_f/gemm_bf16.h"
#include "kernels/quantize_rows/code_range.h"
#include "kernels/quantize_rows/quantize_rows.h"
#include "ops/parallel_rows.h"

namespace tessera::ops {

void LinearInput::reset(MatrixView<const float> x) {
  x_ = x;
  codes_made_ = 0;
  transformed_made_ = 0;
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

namespace {

int64_t scales_per_row(const quant::ActivationScheme& scheme, int64_t in) {
  return scheme.group_size == 0 ? 1 : in / scheme.group_size;
}

}  // namespace

void LinearInput::quantize(Codes& codes, ThreadPool& pool) const {
  const int64_t stride = kernels::padded_k(x_.cols);
  const int64_t sums_stride = stride / kernels::kSumBlock;
  const int64_t row_scales = scales_per_row(codes.scheme, x_.cols);
  codes.codes.reserve(static_cast<size_t>(x_.rows * stride));
  codes.scales.reserve(static_cast<size_t>(x_.rows * row_scales) * sizeof(float));
  codes.sums.reserve(static_cast<size_t>(x_.rows * sums_stride) * sizeof(int32_t));
  const kernels::CodeRange range = kernels::code_range(codes.scheme);
  const bool fixed = codes.scheme.is_static;
  parallel_rows(pool, x_.rows, x_.cols, [&](int64_t begin, int64_t end) {
    kernels::quantize_rows({.x = x_.row(begin),
                            .x_stride = x_.stride,
                            .rows = end - begin,
                            .k = x_.cols,
                            .range = range,
                            .group_size = codes.scheme.group_size,
                            .fixed_scale = fixed ? codes.fixed.scale : 0.0F,
                            .zero_point = fixed ? codes.fixed.zero_point : 0,
                            .codes = codes.codes.as<int8_t>() + begin * stride,
                            .codes_stride = stride,
                            .scales = codes.scales.as<float>() + begin * row_scales,
                            .scales_stride = row_scales,
                            .block_sums = codes.sums.as<int32_t>() + begin * sums_stride,
                            .sums_stride = sums_stride});
  });
}

kernels::QuantizedRows LinearInput::view(const Codes& codes) const {
  const int64_t stride = kernels::padded_k(x_.cols);
  return {.codes = codes.codes.as<int8_t>(),
          .codes_stride = stride,
          .scales = codes.scales.as<float>(),
          .scales_stride = scales_per_row(codes.scheme, x_.cols),
          .group_size = codes.scheme.group_size,
          .block_sums = codes.sums.as<int32_t>(),
          .sums_stride = stride / kernels::kSumBlock};
}

LinearInput& LinearInput::transformed(const InputTransform& transform, ThreadPool& pool) {
  for (size_t i = 0; i < transformed_made_; ++i) {
    const Transformed& made = transformed_[i];
    if (made.transform == &transform || *made.transform == transform) return *made.input;
  }
  if (transformed_made_ == transformed_.size()) {
    transformed_.emplace_back();
    transformed_.back().input = std::make_unique<LinearInput>();
  }
  Transformed& made = transformed_[transformed_made_++];
  made.transform = &transform;
  made.rows.reserve(static_cast<size_t>(x_.rows * x_.cols) * sizeof(float));
  const MatrixView<float> rows{made.rows.as<float>(), x_.rows, x_.cols};
  transform.apply(x_, rows, pool);
  made.input->reset({rows.data, rows.rows, rows.cols});
  return *made.input;
}

MatrixView<const uint16_t> LinearInput::bf16(ThreadPool& pool) {
  const int64_t cols = kernels::padded_k_bf16(x_.cols);
  // Rows 4 KiB apart share their sets of the L1 cache: a line more is worth 2 to 3 points of peak.
  const int64_t stride = cols % 2048 == 0 ? cols + 32 : cols;
  if (!has_bf16_) {
    bf16_.reserve(static_cast<size_t>(x_.rows * stride) * sizeof(uint16_t));
    parallel_rows(pool, x_.rows, x_.cols, [&](int64_t begin, int64_t end) {
      kernels::round_rows_bf16(x_.row(begin), x_.stride, end - begin, x_.cols,
                               bf16_.as<uint16_t>() + begin * stride, stride);
    });
    has_bf16_ = true;
  }
  return {bf16_.as<const uint16_t>(), x_.rows, cols, stride};
}

}  // namespace tessera::ops
