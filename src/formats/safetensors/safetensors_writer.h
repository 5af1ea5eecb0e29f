// SafetensorsWriter: writes a directory's weights as Hugging Face does: model.safetensors, or, above the
// shard limit, model-0000I-of-0000N.safetensors and model.safetensors.index.json. Tensors are declared first,
// so that the headers are known; then their data come one tensor at a time, in any order, so that memory
// holds no more than one. Nothing appears under its final name before commit(). Not thread-safe.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/file.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace tessera::formats {

struct TensorSpec {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
};

class SafetensorsWriter {
 public:
  static constexpr uint64_t kDefaultShardBytes = 4'000'000'000;

  /// Creates the files with their headers. `directory` exists. A tensor above `shard_bytes` gets a shard of
  /// its own. Files are named after `stem`, which is "model" everywhere but in ModelSlim's directories.
  static Result<SafetensorsWriter> create(const std::filesystem::path& directory,
                                          std::span<const TensorSpec> tensors,
                                          uint64_t shard_bytes = kDefaultShardBytes,
                                          std::string_view stem = "model");
  /// The same with files that outlive this process unfinished: on with what one with the same tensors left.
  static Result<SafetensorsWriter> go_on(const std::filesystem::path& directory,
                                         std::span<const TensorSpec> tensors,
                                         uint64_t shard_bytes = kDefaultShardBytes,
                                         std::string_view stem = "model");

  /// The whole data of one declared tensor, once.
  Status write(std::string_view name, std::span<const std::byte> data);

  /// The next bytes of a tensor that is written piece by piece, front to back.
  Status append(std::string_view name, std::span<const std::byte> data);

  /// Of files that outlive their process: what was written is on the disk.
  Status sync();
  /// Another process wrote this tensor whole.
  void take_as_written(std::string_view name);

  /// Renames the files into place, the index last, and removes weight files of an earlier checkpoint, which
  /// would be read instead of or beside ours. kInternal naming a tensor that was not written whole.
  Status commit();

  /// Of all tensors' data.
  uint64_t total_bytes() const { return total_bytes_; }

 private:
  struct Place {
    size_t shard = 0;
    uint64_t offset = 0;  // in the file
    uint64_t bytes = 0;
    uint64_t written = 0;
  };
  Status add_shards(std::span<const TensorSpec> tensors, uint64_t shard_bytes);
  Status add_shard(const std::string& file_name, std::span<const TensorSpec* const> tensors);
  Status write_index();
  Status remove_stale_files() const;

  std::filesystem::path directory_;
  std::string stem_;
  bool outlives_process_ = false;
  std::vector<std::string> file_names_;
  std::vector<OutputFile> files_;
  std::unordered_map<std::string, Place> places_;
  uint64_t total_bytes_ = 0;
};

}  // namespace tessera::formats
