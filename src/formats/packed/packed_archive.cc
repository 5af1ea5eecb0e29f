#include "formats/packed/packed_archive.h"

#include <algorithm>

namespace tessera::formats {
namespace {

// Of names and kinds; config.json and its like are arrays.
constexpr uint32_t kMaxTextBytes = 4096;

constexpr uint64_t align_array(uint64_t offset) {
  return (offset + kPackedArrayAlignment - 1) / kPackedArrayAlignment * kPackedArrayAlignment;
}

}  // namespace

Status PackedReader::flag(bool& value) {
  uint8_t byte = 0;
  TRY_STATUS(number(byte));
  if (byte > 1) return data_corrupt("a flag is {}, expected 0 or 1", byte);
  value = byte != 0;
  return {};
}

Status PackedReader::text(std::string& value) {
  uint32_t bytes = 0;
  TRY_STATUS(number(bytes));
  if (bytes > kMaxTextBytes || bytes > left())
    return data_corrupt("a text of {} bytes, expected at most {}", bytes,
                        std::min<size_t>(kMaxTextBytes, left()));
  value.assign(reinterpret_cast<const char*>(file_.data() + at_), bytes);
  at_ += bytes;
  return {};
}

Status PackedReader::array(PackedArray& value) {
  uint64_t offset = 0, bytes = 0;
  TRY_STATUS(number(offset));
  TRY_STATUS(number(bytes));
  const uint64_t room = file_.size() - arrays_;
  if (offset > room || bytes > room - offset || offset % kPackedArrayAlignment != 0) {
    return data_corrupt("an array of {} bytes at {}, expected within {} bytes at a multiple of {}", bytes,
                        offset, room, kPackedArrayAlignment);
  }
  value = bytes == 0 ? PackedArray() : file_.subspan(arrays_ + offset, bytes);
  return {};
}

Status PackedWriter::text(const std::string& value) {
  if (value.size() > kMaxTextBytes)
    return invalid_argument("a text of {} bytes, expected at most {}", value.size(), kMaxTextBytes);
  TRY_STATUS(number(static_cast<uint32_t>(value.size())));
  const auto* bytes = reinterpret_cast<const std::byte*>(value.data());
  fields_.insert(fields_.end(), bytes, bytes + value.size());
  return {};
}

Status PackedWriter::array(const PackedArray& value) {
  uint64_t offset = 0;
  if (!value.empty()) {
    const auto [known, added] = known_.emplace(value.data(), arrays_.size());
    if (!added && arrays_[known->second].bytes.size() == value.size()) {
      offset = arrays_[known->second].offset;
    } else {
      offset = align_array(next_);
      next_ = offset + value.size();
      arrays_.push_back({offset, value});
    }
  }
  TRY_STATUS(number(offset));
  return number(uint64_t{value.size()});
}

}  // namespace tessera::formats
