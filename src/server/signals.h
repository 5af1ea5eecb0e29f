// SIGTERM and SIGINT as something to wait for: the first asks for an orderly end, the second ends the process
// at once.
#pragma once

#include "base/result.h"

namespace tessera::server {

/// Installs the handlers (and ignores SIGPIPE). One object per process at a time, made before the wait
/// matters.
class Signals {
 public:
  static Result<Signals> install();
  Signals(Signals&& other) noexcept : read_end_(other.read_end_) { other.read_end_ = -1; }
  ~Signals();

  /// Blocks until the first signal; its number.
  int wait() const;

 private:
  explicit Signals(int read_end) : read_end_(read_end) {}
  int read_end_;
};

}  // namespace tessera::server
