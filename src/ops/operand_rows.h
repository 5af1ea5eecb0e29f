// Rows of an Operand: views and copies of some of them, in whatever form it holds.
#pragma once

#include <cstdint>
#include <span>

#include "base/buffer.h"
#include "ops/packed_weights.h"

namespace tessera::ops {

/// Rows [first, first + count), not copied.
Operand row_range(Operand from, int64_t first, int64_t count);

/// Whether both are views of the same rows in the same form.
bool same_memory(const Operand& a, const Operand& b);

/// Copies of rows. A worker's scratch: one user at a time.
class GatheredRows {
 public:
  /// Row i of the result is row rows[i] of `from`, whose form is `form` and which has `in` columns. Valid
  /// until the next call. `rows` is not empty.
  Operand gather(const Operand& from, InputForm form, int64_t in, std::span<const int32_t> rows);

 private:
  kernels::QuantizedRows gather_codes(const kernels::QuantizedRows& from, int64_t in,
                                      std::span<const int32_t> rows);

  AlignedBuffer values_, scales_, sums_;
};

}  // namespace tessera::ops
