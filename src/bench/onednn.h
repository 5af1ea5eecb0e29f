// oneDNN's matmul on our shapes, as the yardstick that everybody has. The library is opened at run time if
// the system has it (Debian: libdnnl2) and is never linked; its headers are needed where this is compiled
// (libdnnl-dev). One caller at a time.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"

namespace tessera::bench {

class OneDnn {
 public:
  /// kUnavailable saying what is missing. It gets `threads` threads of its own.
  static Result<std::unique_ptr<OneDnn>> open(int threads);
  ~OneDnn();

  /// uint8 activations times int8 weights with a scale per column, or bf16 times bf16; float32 out. Weights
  /// in the layout that the library likes best, activations ready in their type: it has no quantizer.
  enum class Type : uint8_t { kInt8, kBf16 };

  class Matmul {
   public:
    virtual ~Matmul() = default;
    /// With the next of the copies of the weights.
    virtual Status run() = 0;
  };
  /// [m, k] x [k, n]; `weight_bytes`: of all copies of the weights together, at least one.
  Result<std::unique_ptr<Matmul>> matmul(Type type, int64_t m, int64_t n, int64_t k, int64_t weight_bytes);

 private:
  class Library;
  class Run;
  explicit OneDnn(std::unique_ptr<Library> library);
  std::unique_ptr<Library> library_;
};

}  // namespace tessera::bench
