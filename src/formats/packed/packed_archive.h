// The two ends of a packed header's fields: PackedReader takes them from bytes and PackedWriter puts them
// there, with the same calls, so that one function per struct (packed_header.cc) says both. Not thread-safe.
#pragma once

#include <cstring>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "formats/packed/packed_header.h"

namespace tessera::formats {

class PackedReader {
 public:
  static constexpr bool kReads = true;

  /// Fields are in [begin, end) of `file`, arrays from `arrays` on.
  PackedReader(std::span<const std::byte> file, size_t begin, size_t end, size_t arrays)
      : file_(file), at_(begin), end_(end), arrays_(arrays) {}

  size_t left() const { return end_ - at_; }

  template <class T>
    requires std::is_arithmetic_v<T>
  Status number(T& value) {
    if (left() < sizeof(T)) return data_corrupt("the header ends in the middle of a field");
    std::memcpy(&value, file_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return {};
  }
  Status flag(bool& value);
  Status text(std::string& value);
  Status array(PackedArray& value);

 private:
  std::span<const std::byte> file_;
  size_t at_, end_, arrays_;
};

class PackedWriter {
 public:
  static constexpr bool kReads = false;

  template <class T>
    requires std::is_arithmetic_v<T>
  Status number(const T& value) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    fields_.insert(fields_.end(), bytes, bytes + sizeof(T));
    return {};
  }
  Status flag(const bool& value) { return number(static_cast<uint8_t>(value)); }
  Status text(const std::string& value);
  Status array(const PackedArray& value);

  const std::vector<std::byte>& fields() const { return fields_; }
  /// Offsets count from the first one.
  std::vector<PackedPlan::Place>& arrays() { return arrays_; }
  uint64_t array_bytes() const { return next_; }

 private:
  std::vector<std::byte> fields_;
  std::vector<PackedPlan::Place> arrays_;
  std::unordered_map<const std::byte*, size_t> known_;  // index in arrays_
  uint64_t next_ = 0;
};

}  // namespace tessera::formats
