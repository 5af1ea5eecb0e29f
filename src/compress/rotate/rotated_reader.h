// Reads the linears of a RotatedSource, with what has to be done to their inputs online, and says the same in
// the words of a checkpoint.
#pragma once

#include <memory>
#include <vector>

#include "compress/rotate/rotated_source.h"
#include "formats/compressed_tensors/transform_config.h"
#include "formats/weight_format.h"

namespace tessera::compress {

/// `source` outlives the reader.
Result<std::unique_ptr<formats::WeightReader>> open_rotated_reader(const RotatedSource& source);

/// transform_config of a checkpoint of its weights; empty when nothing is left to do online.
std::vector<formats::compressed_tensors::TransformGroup> online_transforms(const RotatedSource& source);

}  // namespace tessera::compress
