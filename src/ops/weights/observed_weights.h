// Weights that show their input to an observer on its way: how calibration sees what every linear of a model
// is fed.
#pragma once

#include <functional>
#include <memory>

#include "ops/packed_weights.h"

namespace tessera::ops {

/// Rows of the operand of a product: [rows, in]. Every row of a product once, in order; called on any worker,
/// for one linear by one at a time.
using InputObserver = std::function<void(MatrixView<const float> rows)>;

/// `weights`' input form is kFloat.
std::unique_ptr<const PackedWeights> observed_weights(std::unique_ptr<const PackedWeights> weights,
                                                      InputObserver observer);

}  // namespace tessera::ops
