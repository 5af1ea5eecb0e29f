// Files: read by pread into the caller's memory (a map would keep a second copy resident and turn a truncated
// file into SIGBUS), written to a temporary name and renamed, so that a reader never sees half a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tessera {

/// A file opened for reading. Thread-safe: reads carry their own offset.
class InputFile {
 public:
  /// kNotFound if absent, kInvalidArgument if not a regular file.
  static Result<InputFile> open(const std::filesystem::path& path);
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&& other) noexcept;
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile();

  const std::filesystem::path& path() const { return path_; }
  uint64_t size() const { return size_; }
  /// When its bytes were last written before it was opened, since 1970.
  int64_t modified_seconds() const { return modified_ns_ / 1'000'000'000; }

  /// Fills `out` from byte `offset`; kDataCorrupt naming the file when it ends before.
  Status read_at(uint64_t offset, std::span<std::byte> out) const;
  /// Says that these bytes will be read soon: the system starts to read them where it is not busy.
  void will_read(uint64_t offset, uint64_t bytes) const;
  /// kDataCorrupt naming the file when its bytes were written to since it was opened: what was read may be
  /// half old. A file that another one was renamed over is not changed.
  Status check_unchanged() const;

 private:
  InputFile() = default;
  std::filesystem::path path_;
  int fd_ = -1;
  uint64_t size_ = 0;
  int64_t modified_ns_ = 0;
};

/// The whole file as text; an error if it is larger than `max_bytes`.
Result<std::string> read_text_file(const std::filesystem::path& path, uint64_t max_bytes);

/// A file being written: everything goes to `path`.tmp.PID; commit() syncs and renames it; without commit()
/// it vanishes.
class OutputFile {
 public:
  static Result<OutputFile> create(const std::filesystem::path& path);
  /// Goes to `path`.partial, and on with what an earlier process left there. It stays, without commit(), once
  /// sync() was called. kUnavailable when another process writes it.
  static Result<OutputFile> go_on(const std::filesystem::path& path);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&& other) noexcept = delete;
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  Status append(std::span<const std::byte> bytes);
  Status write_at(uint64_t offset, std::span<const std::byte> bytes);
  /// What was written is on the disk.
  Status sync();
  Status commit();

 private:
  OutputFile() = default;
  std::filesystem::path path_, temporary_;
  int fd_ = -1;
  uint64_t end_ = 0;
  bool stays_ = false;
};

Status write_text_file(const std::filesystem::path& path, std::string_view text);

}  // namespace tessera
