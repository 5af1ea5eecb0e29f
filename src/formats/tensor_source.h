// TensorSource: named tensors of a model directory, whatever container carries them. Reading is by pread into
// the caller's memory; nothing stays resident. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "tensor/tensor.h"

namespace tessera::formats {

struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
  uint64_t bytes = 0;   // of the data in the file
  uint64_t offset = 0;  // of the data in its file
  uint32_t shard = 0;   // which file
};

class TensorSource {
 public:
  virtual ~TensorSource() = default;

  /// All tensors, in a stable order.
  virtual std::span<const TensorInfo> tensors() const = 0;
  /// nullptr when absent. O(1): experts alone can be 50,000 tensors.
  virtual const TensorInfo* find(std::string_view name) const = 0;
  /// Fills `out`, whose size must be info.bytes.
  virtual Status read(const TensorInfo& info, std::span<std::byte> out) const = 0;
  /// Says that `info` will be read soon.
  virtual void will_read(const TensorInfo& /*info*/) const {}
  /// After the last read: kDataCorrupt naming a file that was written to since it was opened.
  virtual Status check_unchanged() const { return {}; }

  /// The tensor in memory of its own; kNotFound naming it when absent.
  Result<Tensor> read(std::string_view name) const;
};

/// Opens DIR/model.safetensors, or its index and shards, or ModelSlim's names for them (weight_files.h), and
/// checks every rule of docs/file-safety.md. Experts stacked in one tensor appear one by one
/// (stacked_experts.h), the names of a model without its head as with one. kNotFound when it has none.
Result<std::unique_ptr<TensorSource>> open_safetensors_dir(const std::string& directory);

}  // namespace tessera::formats
