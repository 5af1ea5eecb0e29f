// RateMeter: tokens per second of busy time, forgetting with a time constant of one second: a reading is
// about the last second of work, however long ago that was. Not thread-safe.
#pragma once

#include <cmath>

namespace tessera::engine {

class RateMeter {
 public:
  void add(double tokens, double seconds) {
    const double keep = std::exp(-seconds);
    tokens_ = tokens_ * keep + tokens;
    seconds_ = seconds_ * keep + seconds;
  }
  double per_second() const { return seconds_ > 0 ? tokens_ / seconds_ : 0; }

 private:
  double tokens_ = 0, seconds_ = 0;
};

}  // namespace tessera::engine
