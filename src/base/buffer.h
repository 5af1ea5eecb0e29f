// AlignedBuffer: owned bytes, 64-byte aligned (one cache line, one zmm register); those of 2 MiB and more are
// 2 MiB aligned and offered to transparent huge pages. Weights beyond the caches are read 1.1 to 1.4 times as
// fast from those (huge_pages_bench; a virtual machine, where a miss of the TLB walks two page tables).
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"

namespace tessera {

class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  /// Zeroed bytes. kResourceExhausted when the system refuses.
  static Result<AlignedBuffer> allocate(size_t bytes);
  /// As allocate(), for what is kept while the program runs (weights): such buffers lie one after the other
  /// in memory of huge pages, the small ones too. Freeing one is right but leaves a hole. Thread-safe.
  static Result<AlignedBuffer> allocate_lasting(size_t bytes);
  /// A buffer in name: bytes that somebody else owns, keeps longer than this, and that nobody may write.
  static AlignedBuffer borrow(std::span<const std::byte> bytes);
  /// As allocate(); for sizes that are our own (workspaces): aborts when the system refuses.
  explicit AlignedBuffer(size_t bytes);
  AlignedBuffer(AlignedBuffer&& other) noexcept;
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept;
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;
  ~AlignedBuffer();

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  template <class T>
  T* as() {
    return reinterpret_cast<T*>(data_);
  }
  template <class T>
  const T* as() const {
    return reinterpret_cast<const T*>(data_);
  }

  /// Makes room for at least `bytes`; contents are lost when it grows. For workspaces.
  void reserve(size_t bytes);

 private:
  void release();
  std::byte* data_ = nullptr;
  size_t size_ = 0;
  size_t mapped_ = 0;  // 0: borrowed
};

}  // namespace tessera
