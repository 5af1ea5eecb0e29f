#include "ops/grouped_input.h"

namespace tessera::ops {

Operand GroupedInput::share(const Linear& linear, LinearInput& input, ThreadPool& pool) {
  if (linear.has_own_input()) return {.rows = input.rows()};
  return linear.operand(input, pool);
}

void GroupedInput::reset(std::span<const int32_t> rows) {
  rows_ = rows;
  copies_made_ = 0;
  own_made_ = false;
}

Operand GroupedInput::operand(const Linear& linear, const Operand& shared) {
  if (!linear.has_own_input()) return take(shared, linear.weights().input_form(), linear.in());
  if (!own_made_) own_.reset(take(shared, InputForm::kFloat, linear.in()).rows);
  own_made_ = true;
  return linear.operand(own_, serial_);
}

Operand GroupedInput::take(const Operand& from, InputForm form, int64_t in) {
  const auto count = static_cast<int64_t>(rows_.size());
  const bool consecutive = rows_.back() - rows_.front() + 1 == count;
  if (consecutive) return row_range(from, rows_.front(), count);
  for (size_t i = 0; i < copies_made_; ++i) {
    if (same_memory(copies_[i].from, from)) return copies_[i].rows;
  }
  Copy& copy = copies_[copies_made_++];
  copy.from = from;
  copy.rows = copy.memory.gather(from, form, in, rows_);
  return copy.rows;
}

}  // namespace tessera::ops
