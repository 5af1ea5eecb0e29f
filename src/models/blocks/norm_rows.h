// RMS norms of the rows of a batch, split over the workers.
#pragma once

#include "base/thread_pool.h"
#include "models/decoder_weights.h"
#include "tensor/matrix.h"

namespace tessera::models {

/// y = norm(x), both [rows, hidden]; y may be x.
void norm_rows(MatrixView<const float> x, const NormWeights& weights, float eps, MatrixView<float> y,
               ThreadPool& pool);

/// hidden += delta; y = norm(hidden). All [rows, hidden]; y may be delta, not hidden.
void add_norm_rows(MatrixView<float> hidden, MatrixView<const float> delta, const NormWeights& weights,
                   float eps, MatrixView<float> y, ThreadPool& pool);

}  // namespace tessera::models
