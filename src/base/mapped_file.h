// MappedFile: a whole file as read-only memory, shared with every process that maps it; 2 MiB aligned and
// offered to huge pages, where the file system has them.
//
// A file replaced by rename does not matter: the map keeps the old one. One that is cut short in place has no
// bytes to give any more, and reading them would be SIGBUS: then the process ends with exit code 1 and one
// line that names the file. Bytes overwritten in place are seen by every reader: nothing protects from that.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "base/result.h"
#include "base/thread_pool.h"

namespace tessera {

class MappedFile {
 public:
  /// kNotFound if absent, kInvalidArgument if not a regular file or empty, kResourceExhausted.
  static Result<MappedFile> open(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept = delete;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  const std::filesystem::path& path() const { return path_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }

  /// Reads all of it that is not in memory yet and fills the page tables, on all workers, so that nobody
  /// waits for it later.
  void populate(ThreadPool& pool) const;

 private:
  MappedFile() = default;
  std::filesystem::path path_;
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace tessera
