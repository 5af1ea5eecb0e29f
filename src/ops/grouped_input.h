// GroupedInput: the rows of one group (the tokens of one expert) in the forms that its linears read, each
// made once. A worker's scratch: one user at a time.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "ops/linear.h"
#include "ops/operand_rows.h"

namespace tessera::ops {

class GroupedInput {
 public:
  /// The form of all of `input` that operand() wants as `shared`. Before the workers start.
  static Operand share(const Linear& linear, LinearInput& input, ThreadPool& pool);

  /// The group from now on: row i is row rows[i] of the input. Not empty; they outlive the next reset().
  void reset(std::span<const int32_t> rows);

  /// The group's rows as `linear` reads them, copied from `shared` unless they follow each other. Valid until
  /// reset(). Where every expert has a static scale or a transform of its own they are made here: all of the
  /// input in each of those forms would be many times the work.
  Operand operand(const Linear& linear, const Operand& shared);

 private:
  /// A copy of the group's rows.
  struct Copy {
    Operand from, rows;
    GatheredRows memory;
  };
  Operand take(const Operand& from, InputForm form, int64_t in);

  std::span<const int32_t> rows_;
  std::array<Copy, 3> copies_;  // gate's form, up's form, floats for those of their own
  size_t copies_made_ = 0;
  LinearInput own_;
  bool own_made_ = false;
  ThreadPool serial_{1};
};

}  // namespace tessera::ops
