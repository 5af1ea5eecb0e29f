#include "formats/packed/packed_file.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/file.h"
#include "base/progress.h"

namespace tessera::formats {
namespace {

constexpr size_t kWriteBytes = size_t{64} << 20;  // between two looks at the progress

}  // namespace

Result<PackedFile> PackedFile::open(const std::filesystem::path& path) {
  MappedFile map = TRY(MappedFile::open(path));
  TRY_STATUS(check_packed_preamble(map.bytes(), path.string()));
  PackedContents contents = TRY(parse_packed_header(map.bytes()).context(path.string()));
  return PackedFile(std::move(map), std::move(contents));
}

ModelFiles PackedFile::model_files() const {
  ModelFiles files{.origin = map_.path(), .texts = {}};
  for (const auto& [name, bytes] : contents_.files)
    files.texts.emplace(name, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  return files;
}

Result<uint64_t> write_packed_file(const std::filesystem::path& path, PackedContents contents) {
  const PackedPlan plan = TRY(plan_packed_file(std::move(contents)));
  OutputFile file = TRY(OutputFile::create(path));
  TRY_STATUS(file.write_at(0, plan.head));
  // Its whole length, for contents without arrays too.
  TRY_STATUS(file.write_at(plan.file_bytes - 1, std::array{std::byte{0}}));
  Progress progress("writing", plan.file_bytes);
  for (const PackedPlan::Place& place : plan.arrays) {
    for (size_t done = 0; done < place.bytes.size(); done += kWriteBytes) {
      const auto part = place.bytes.subspan(done, std::min(kWriteBytes, place.bytes.size() - done));
      TRY_STATUS(file.write_at(place.offset + done, part));
      progress.advance(part.size(), path.filename().string());
    }
  }
  TRY_STATUS(file.commit());
  std::error_code error;  // protection against mistakes, not needed to go on
  std::filesystem::permissions(path, std::filesystem::perms(0444), error);
  return plan.file_bytes;
}

}  // namespace tessera::formats
