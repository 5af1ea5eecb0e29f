// Sample: repeated measurements of one thing, told as their median and what most of them lie between. A
// value.
#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

namespace tessera::bench {

class Sample {
 public:
  void add(double value) { values_.push_back(value); }
  size_t size() const { return values_.size(); }
  bool empty() const { return values_.empty(); }

  /// Of nothing: 0.
  double median() const { return quantile(0.5); }
  double low() const { return quantile(0.1); }
  double high() const { return quantile(0.9); }
  /// Half the distance from low() to high(), relative to the median: 0.03 is "plus or minus 3 %".
  double spread() const;

 private:
  double quantile(double share) const;
  std::vector<double> values_;
};

/// Seconds that `body` takes.
template <class Body>
double seconds_of(const Body& body) {
  const auto begin = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace tessera::bench
