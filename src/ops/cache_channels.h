// An int8 cache with a scale (and offset) for each channel, over kernels that know one scale a head. A key's
// scale moves into the query: q . (s * code) = (q * s) . code; its offset adds the same to every score of a
// query, which softmax does not see. A value's are undone on the weighted mean, since the weights sum to 1.
// So the kernels run with a scale of 1 and on codes as they are. Pure; thread-safe.
#pragma once

#include <cstdint>

#include "quant/attention_data.h"
#include "tensor/matrix.h"

namespace tessera::ops {

/// Keys or values [rows, channels], in place: x / scale + offset, which the cache then rounds and clamps.
void to_cache_codes(const quant::CacheScales& scales, MatrixView<float> x);

/// Queries [rows, heads * head_dim], in place; `scales` are those of the keys, heads of queries share them.
void scale_queries(const quant::CacheScales& keys, int64_t head_dim, MatrixView<float> q);

/// Weighted means of codes [rows, heads * head_dim] -> of values, in place: (x - offset) * scale.
void from_cache_codes(const quant::CacheScales& values, int64_t head_dim, MatrixView<float> x);

}  // namespace tessera::ops
