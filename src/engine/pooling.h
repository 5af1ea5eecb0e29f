// Pooling: how the hidden states of a prompt's tokens become one vector, its embedding. Not thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tessera::engine {

/// Of which tokens the mean is taken: of the last one alone, which has read all before it, or of all.
enum class Pooling : uint8_t { kLast, kMean };

/// "last" or "mean"; kInvalidArgument for another name.
Result<Pooling> parse_pooling(std::string_view name);

/// The mean of rows that come in pieces. Summed one by one in double, in the order in which they come: where
/// the pieces were cut does not show.
class PooledRows {
 public:
  /// `rows`: F32 [rows, width]. kInternal when a number is not finite.
  Status add(std::span<const float> rows, size_t width);
  /// Of at least one row, [width].
  std::vector<float> mean() const;
  void clear() { *this = {}; }

 private:
  std::vector<double> sums_;
  size_t rows_ = 0;
};

}  // namespace tessera::engine
