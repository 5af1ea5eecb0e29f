#include "ops/embedding.h"

#include <algorithm>

#include "kernels/embedding/embedding.h"
#include "ops/parallel_rows.h"
#include "ops/weights/stored_arrays.h"
#include "quant/integer_codes.h"

namespace tessera::ops {
namespace {
constexpr const char* kStoredKind = "embedding";
}

Result<Embedding> Embedding::make(const Tensor& values, FloatKind kind, ThreadPool& pool) {
  Embedding embedding;
  embedding.kind_ = kind;
  embedding.vocab_ = values.shape()[0];
  embedding.hidden_ = values.shape()[1];
  const DType kept = kind == FloatKind::kF32 ? DType::kF32 : DType::kBF16;
  const auto row_elements = static_cast<size_t>(embedding.hidden_);
  const size_t row_bytes = row_elements * dtype_size(kept),
               from_bytes = row_elements * dtype_size(values.dtype());
  const auto bytes = static_cast<size_t>(bytes_of(embedding.vocab_, embedding.hidden_, kind));
  embedding.table_ = TRY(AlignedBuffer::allocate_lasting(bytes));
  parallel_rows(pool, embedding.vocab_, embedding.hidden_, [&](int64_t begin, int64_t end) {
    std::vector<float> row(row_elements);
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      quant::widen(values.dtype(), values.data() + i * from_bytes, row);
      quant::narrow(row, kept, embedding.table_.data() + i * row_bytes);
    }
  });
  return embedding;
}

formats::PackedEntry Embedding::stored() const {
  return {.kind = kStoredKind, .out = vocab_, .in = hidden_, .arrays = {table_.bytes()}};
}

Result<Embedding> Embedding::restore(const formats::PackedEntry& entry, FloatKind kind) {
  if (entry.kind != kStoredKind) return data_corrupt("{:.40}, expected an embedding", entry.kind);
  auto buffers = TRY(borrow_arrays(entry.arrays, {static_cast<size_t>(bytes_of(entry.out, entry.in, kind))}));
  Embedding embedding;
  embedding.kind_ = kind;
  embedding.vocab_ = entry.out;
  embedding.hidden_ = entry.in;
  embedding.table_ = std::move(buffers[0]);
  return embedding;
}

Embedding Embedding::tied(const Linear& head) {
  Embedding embedding;
  embedding.head_ = &head;
  embedding.vocab_ = head.out();
  embedding.hidden_ = head.in();
  return embedding;
}

void Embedding::lookup(std::span<const int32_t> ids, MatrixView<float> out) const {
  const auto rows = static_cast<int64_t>(ids.size());
  if (head_ != nullptr) {
    for (int64_t row = 0; row < rows; ++row)
      head_->read_row(ids[static_cast<size_t>(row)], out.row(row));
  } else if (kind_ == FloatKind::kF32) {
    kernels::embedding_f32(table_.as<float>(), hidden_, ids.data(), rows, out.data, out.stride);
  } else {
    kernels::embedding_bf16(table_.as<uint16_t>(), hidden_, ids.data(), rows, out.data, out.stride);
  }
}

}  // namespace tessera::ops
