// quant::InputTransform as a packed file has it, and back. A new kind of step gets its two functions here;
// the compiler asks for them.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "formats/packed/packed_header.h"
#include "quant/input_transform.h"

namespace tessera::formats {

/// The result points into `steps`.
std::vector<PackedStep> pack_steps(const quant::InputTransform& steps);

/// Numbers are copied out of the file; matrices that steps share in the file are shared again. Not
/// thread-safe.
class StepReader {
 public:
  /// kDataCorrupt. Whether the steps fit a linear is for ops::InputTransform to say.
  Result<quant::InputTransform> read(std::span<const PackedStep> steps);

 private:
  Result<quant::TransformStep> read(const PackedStep& step);

  std::map<const std::byte*, std::shared_ptr<const quant::SquareMatrix>> matrices_;  // by place in the file
};

}  // namespace tessera::formats
