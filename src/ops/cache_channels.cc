#include "ops/cache_channels.h"

#include "base/check.h"

namespace tessera::ops {
namespace {

/// Calls body(x, channel) on every element of rows whose heads share the channels of `scales` in order.
template <class Body>
void each_channel(const quant::CacheScales& scales, int64_t head_dim, MatrixView<float> x, const Body& body) {
  const auto channels = static_cast<int64_t>(scales.scales.size());
  CHECK(channels > 0 && x.cols % channels == 0, "{} columns over {} channels", x.cols, channels);
  const int64_t shared = x.cols / channels;  // heads of queries for one of keys
  for (int64_t row = 0; row < x.rows; ++row) {
    float* const values = x.row(row);
    for (int64_t head = 0; head * head_dim < x.cols; ++head) {
      const int64_t first = head / shared * head_dim;
      for (int64_t d = 0; d < head_dim; ++d)
        body(values[head * head_dim + d], static_cast<size_t>(first + d));
    }
  }
}

}  // namespace

void to_cache_codes(const quant::CacheScales& scales, MatrixView<float> x) {
  const bool shifted = !scales.offsets.empty();
  each_channel(scales, x.cols, x, [&](float& value, size_t channel) {
    value = value / scales.scales[channel] + (shifted ? scales.offsets[channel] : 0.F);
  });
}

void scale_queries(const quant::CacheScales& keys, int64_t head_dim, MatrixView<float> q) {
  each_channel(keys, head_dim, q, [&](float& value, size_t channel) { value *= keys.scales[channel]; });
}

void from_cache_codes(const quant::CacheScales& values, int64_t head_dim, MatrixView<float> x) {
  const bool shifted = !values.offsets.empty();
  each_channel(values, head_dim, x, [&](float& value, size_t channel) {
    value = (value - (shifted ? values.offsets[channel] : 0.F)) * values.scales[channel];
  });
}

}  // namespace tessera::ops
