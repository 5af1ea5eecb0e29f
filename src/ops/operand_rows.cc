#include "ops/operand_rows.h"

#include <cstring>

namespace tessera::ops {
namespace {

template <class T>
MatrixView<const T> rows_from(MatrixView<const T> from, int64_t first, int64_t count) {
  return {from.data + first * from.stride, count, from.cols, from.stride};
}

/// `cols` elements of every row, densely into `buffer`.
template <class T>
MatrixView<const T> copy_rows(const T* from, int64_t cols, int64_t stride, std::span<const int32_t> rows,
                              AlignedBuffer& buffer) {
  const size_t bytes = static_cast<size_t>(cols) * sizeof(T);
  buffer.reserve(rows.size() * bytes);
  T* to = buffer.as<T>();
  for (size_t i = 0; i < rows.size(); ++i)
    std::memcpy(to + static_cast<int64_t>(i) * cols, from + rows[i] * stride, bytes);
  return {to, static_cast<int64_t>(rows.size()), cols};
}

}  // namespace

Operand row_range(Operand from, int64_t first, int64_t count) {
  if (from.rows.data != nullptr) from.rows = rows_from(from.rows, first, count);
  if (from.bf16.data != nullptr) from.bf16 = rows_from(from.bf16, first, count);
  if (from.codes.codes != nullptr) {
    from.codes.codes += first * from.codes.codes_stride;
    from.codes.scales += first * from.codes.scales_stride;
    from.codes.block_sums += first * from.codes.sums_stride;
  }
  return from;
}

bool same_memory(const Operand& a, const Operand& b) {
  return a.rows.data == b.rows.data && a.bf16.data == b.bf16.data && a.codes.codes == b.codes.codes;
}

Operand GatheredRows::gather(const Operand& from, InputForm form, int64_t in, std::span<const int32_t> rows) {
  switch (form) {
    case InputForm::kFloat:
      return {.rows = copy_rows(from.rows.data, in, from.rows.stride, rows, values_)};
    case InputForm::kBf16:
      return {.bf16 = copy_rows(from.bf16.data, from.bf16.cols, from.bf16.stride, rows, values_)};
    case InputForm::kCodes:
      return {.codes = gather_codes(from.codes, in, rows)};
  }
  return {};
}

kernels::QuantizedRows GatheredRows::gather_codes(const kernels::QuantizedRows& from, int64_t in,
                                                  std::span<const int32_t> rows) {
  const int64_t width = kernels::padded_k(in), blocks = width / kernels::kSumBlock;
  const int64_t groups = from.group_size == 0 ? 1 : in / from.group_size;
  return {.codes = copy_rows(from.codes, width, from.codes_stride, rows, values_).data,
          .codes_stride = width,
          .scales = copy_rows(from.scales, groups, from.scales_stride, rows, scales_).data,
          .scales_stride = groups,
          .group_size = from.group_size,
          .block_sums = copy_rows(from.block_sums, blocks, from.sums_stride, rows, sums_).data,
          .sums_stride = blocks};
}

}  // namespace tessera::ops
