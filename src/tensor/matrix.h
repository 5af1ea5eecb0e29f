// MatrixView<T>: rows x cols elements, `stride` elements from row to row; what ops pass around for
// activations. Copyable, owns nothing.
#pragma once

#include <cstdint>

#include "base/check.h"

namespace tessera {

template <class T>
struct MatrixView {
  T* data = nullptr;
  int64_t rows = 0;
  int64_t cols = 0;
  int64_t stride = 0;

  MatrixView() = default;
  MatrixView(T* data_in, int64_t rows_in, int64_t cols_in) : MatrixView(data_in, rows_in, cols_in, cols_in) {}
  MatrixView(T* data_in, int64_t rows_in, int64_t cols_in, int64_t stride_in)
      : data(data_in), rows(rows_in), cols(cols_in), stride(stride_in) {}
  /// Mutable to const.
  operator MatrixView<const T>() const { return {data, rows, cols, stride}; }

  T* row(int64_t index) const {
    DCHECK(index >= 0 && index < rows, "row {} of {}", index, rows);
    return data + index * stride;
  }
  /// Rows [first, first + count).
  MatrixView row_range(int64_t first, int64_t count) const {
    DCHECK(first >= 0 && count >= 0 && first + count <= rows, "rows {}+{} of {}", first, count, rows);
    return {data + first * stride, count, cols, stride};
  }
  /// Columns [first, first + count).
  MatrixView col_range(int64_t first, int64_t count) const {
    DCHECK(first >= 0 && count >= 0 && first + count <= cols, "columns {}+{} of {}", first, count, cols);
    return {data + first, rows, count, stride};
  }
};

}  // namespace tessera
