// Reads the linears of a float model, with what has to be done online once it is rotated, and says the same
// in the words of a checkpoint.
#pragma once

#include <memory>
#include <vector>

#include "formats/compressed_tensors/transform_config.h"
#include "formats/weight_format.h"

namespace tessera::compress {

/// Hadamard matrices in blocks of so many values; 0: none.
struct OnlineTransforms {
  int64_t down_block = 0;  // of down_proj's input (R4)
  int64_t head_block = 0;  // of queries and keys after the rotary embedding (R3): evens keys out for int8
};

/// `source` outlives the reader.
Result<std::unique_ptr<formats::WeightReader>> open_rotated_reader(const formats::TensorSource& source,
                                                                   const OnlineTransforms& online);

/// transform_config of a checkpoint of its weights; empty when nothing is left to do online.
std::vector<formats::compressed_tensors::TransformGroup> online_transforms(const OnlineTransforms& online);

}  // namespace tessera::compress
