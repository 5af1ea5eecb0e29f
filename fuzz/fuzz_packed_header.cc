// Preamble and header of a packed file, with room for arrays behind them: what the header says lies within
// the file. Lengths that no mutation would guess are set right; the checksum is not looked at.
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/check.h"
#include "formats/packed/packed_header.h"

namespace {

using namespace tessera::formats;

// Arrays begin at the next multiple of 2 MiB.
constexpr size_t kFileBytes = (size_t{2} << 20) + 4096;
constexpr size_t kHeaderBytesAt = 24, kFileBytesAt = 32;  // in the preamble

/// `data` at the start of a file of zeros.
std::span<const std::byte> file_of(const uint8_t* data, size_t size) {
  static std::vector<std::byte> file(kFileBytes);
  static size_t used = 0;
  std::memset(file.data(), 0, used);
  std::memcpy(file.data(), data, size);
  used = size;
  const uint64_t header_bytes = size - kPackedPreambleBytes, file_bytes = kFileBytes;
  std::memcpy(&file[kHeaderBytesAt], &header_bytes, sizeof(header_bytes));
  std::memcpy(&file[kFileBytesAt], &file_bytes, sizeof(file_bytes));
  return file;
}

void check_inside(std::span<const std::byte> file, PackedArray array) {
  CHECK(array.empty() ||
            (array.data() >= file.data() && array.data() + array.size() <= file.data() + file.size()),
        "an array of {} bytes", array.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)check_packed_preamble({reinterpret_cast<const std::byte*>(data), size}, "fuzz");
  if (size < kPackedPreambleBytes || size > kFileBytes / 2) return 0;
  const auto file = file_of(data, size);
  const auto contents = parse_packed_header(file);
  if (!contents.has_value()) return 0;
  for (const auto& [name, text] : contents->files)
    check_inside(file, text);
  for (const PackedEntry& entry : contents->entries) {
    for (const PackedArray array : entry.arrays)
      check_inside(file, array);
    check_inside(file, entry.bias);
    for (const auto* steps : {&entry.transform, &entry.output_transform}) {
      for (const PackedStep& step : *steps) {
        for (const PackedArray array : step.arrays)
          check_inside(file, array);
      }
    }
  }
  return 0;
}
