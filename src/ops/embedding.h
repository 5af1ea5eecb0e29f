// Embedding: token id -> row of float32. Its table is its own, or that of a tied output head, which is packed
// in tiles: then rows are gathered from there, so that the largest tensor of a small model is not held twice.
#pragma once

#include <cstdint>
#include <span>

#include "base/buffer.h"
#include "ops/linear.h"

namespace tessera::ops {

class Embedding {
 public:
  Embedding() = default;
  /// `values` is F32, BF16 or F16 [vocab, hidden]; kept as `kind`.
  static Result<Embedding> make(const Tensor& values, FloatKind kind, ThreadPool& pool);
  /// What make() made, pointing into this, without a name; and the embedding out of that: the table is not
  /// copied and outlives it. kDataCorrupt.
  formats::PackedEntry stored() const;
  static Result<Embedding> restore(const formats::PackedEntry& entry, FloatKind kind);
  /// Reads rows of `head`, which outlives this.
  static Embedding tied(const Linear& head);

  /// What make() takes in memory.
  static int64_t bytes_of(int64_t vocab, int64_t hidden, FloatKind kind) {
    return vocab * hidden * static_cast<int64_t>(kind == FloatKind::kF32 ? sizeof(float) : sizeof(uint16_t));
  }

  int64_t vocab() const { return vocab_; }
  int64_t bytes() const { return static_cast<int64_t>(table_.size()); }

  /// out: [ids, hidden]. Ids are within the vocabulary.
  void lookup(std::span<const int32_t> ids, MatrixView<float> out) const;

 private:
  const Linear* head_ = nullptr;  // tied
  FloatKind kind_ = FloatKind::kF32;
  AlignedBuffer table_;
  int64_t vocab_ = 0, hidden_ = 0;
};

}  // namespace tessera::ops
