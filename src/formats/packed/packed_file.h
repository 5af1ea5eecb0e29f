// PackedFile: a packed file (packed_header.h) that is open and mapped. Its contents point into the map, which
// the processes that open it share; so it outlives all that is made of it. Thread-safe.
#pragma once

#include <filesystem>

#include "base/mapped_file.h"
#include "formats/hf/model_files.h"
#include "formats/packed/packed_header.h"

namespace tessera::formats {

class PackedFile {
 public:
  /// kNotFound; else as check_packed_preamble() and parse_packed_header(), with the file's name.
  static Result<PackedFile> open(const std::filesystem::path& path);

  const MappedFile& map() const { return map_; }
  const PackedContents& contents() const { return contents_; }
  /// Copies: they are small.
  ModelFiles model_files() const;

 private:
  PackedFile(MappedFile map, PackedContents contents)
      : map_(std::move(map)), contents_(std::move(contents)) {}

  MappedFile map_;
  PackedContents contents_;
};

/// Under another name first, synced and renamed: who opens `path` meets a whole file or the one before.
/// Nobody may write it afterwards (mode 0444): it is meant to be mapped. Its size.
Result<uint64_t> write_packed_file(const std::filesystem::path& path, PackedContents contents);

}  // namespace tessera::formats
