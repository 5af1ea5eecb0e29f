#include "formats/packed/packed_header.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <utility>

#include "base/checksum.h"
#include "formats/packed/packed_archive.h"

namespace tessera::formats {
namespace {

static_assert(std::endian::native == std::endian::little, "fields are copied as they lie in memory");

constexpr std::array<char, 8> kMagic = {'T', 'e', 's', 's', 'P', 'a', 'c', 'k'};
constexpr uint32_t kByteOrder = 0x01020304;
constexpr uint64_t kArraysAlignment = uint64_t{2} << 20;  // a huge page

struct Preamble {
  std::array<char, 8> magic = kMagic;
  uint32_t byte_order = kByteOrder;
  uint32_t version = kPackedVersion;
  uint32_t layout = kPackedLayout;
  uint32_t unused = 0;
  uint64_t header_bytes = 0;
  uint64_t file_bytes = 0;
  std::array<uint64_t, 2> reserved{};
  uint64_t checksum = 0;  // of all before and of the header
};
static_assert(sizeof(Preamble) == kPackedPreambleBytes);

constexpr uint64_t arrays_begin(uint64_t header_bytes) {
  return (kPackedPreambleBytes + header_bytes + kArraysAlignment - 1) / kArraysAlignment * kArraysAlignment;
}

uint64_t checksum_of(const Preamble& preamble, std::span<const std::byte> header) {
  const auto bytes = std::as_bytes(std::span(&preamble, 1));
  return checksum(header, checksum(bytes.first(offsetof(Preamble, checksum))));
}

template <class Io, class T>
Status bounded(Io& io, T& value, std::string_view what, T least, T most) {
  TRY_STATUS(io.number(value));
  if (value >= least && value <= most) return {};
  return data_corrupt("{} is {}, expected {} to {}", what, value, least, most);
}

template <class Io>
Status one_of(Io& io, int& value, std::string_view what, std::initializer_list<int> known) {
  TRY_STATUS(io.number(value));
  if (std::ranges::find(known, value) != known.end()) return {};
  return data_corrupt("{} are {}, expected one of {}", what, value, fmt::join(known, ", "));
}

// Each function says a struct's fields once, for both directions: Io is PackedReader or PackedWriter. Bounds
// are what sizes can be computed from without overflow; whether a kernel takes them is asked elsewhere.
constexpr int64_t kMaxDimension = int64_t{1} << 31;

template <class Io>
Status transfer(Io& io, PackedStep& step);
template <class Io>
Status transfer(Io& io, PackedEntry& entry);
template <class Io>
Status transfer(Io& io, SourceFile& source);
template <class Io>
Status transfer(Io& io, std::string& text);
template <class Io, class T>
Status transfer(Io& io, std::pair<std::string, T>& pair);

template <class Io>
Status transfer(Io& io, quant::LinearScheme& scheme) {
  quant::ActivationScheme& activation = scheme.activation;
  TRY_STATUS(one_of(io, scheme.weight.bits, "weight bits", {4, 8, 16, 32}));
  TRY_STATUS(bounded(io, scheme.weight.group_size, "weight group", 0, std::numeric_limits<int>::max()));
  TRY_STATUS(io.flag(scheme.weight.symmetric));
  TRY_STATUS(one_of(io, activation.bits, "activation bits", {4, 8, 16}));
  auto rule = static_cast<uint8_t>(activation.rule);
  TRY_STATUS(bounded(io, rule, "activation rule", uint8_t{0},
                     static_cast<uint8_t>(quant::ActivationRule::kTwoSided)));
  activation.rule = static_cast<quant::ActivationRule>(rule);
  TRY_STATUS(bounded(io, activation.group_size, "activation group", 0, std::numeric_limits<int>::max()));
  TRY_STATUS(io.flag(activation.is_static));
  TRY_STATUS(bounded(io, activation.clip_ratio, "clip ratio", 0.0F, std::numeric_limits<float>::max()));
  return io.flag(scheme.transformed);
}

template <class Io>
Status transfer(Io& io, PackedArray& array) {
  return io.array(array);
}

/// A vector that is read grows with the bytes that are there, whatever its length claims to be.
template <class Io, class T>
Status transfer(Io& io, std::vector<T>& things) {
  auto count = static_cast<uint32_t>(things.size());
  TRY_STATUS(io.number(count));
  for (uint32_t i = 0; i < count; ++i) {
    if constexpr (Io::kReads) things.emplace_back();
    TRY_STATUS(transfer(io, things[i]));
  }
  return {};
}

template <class Io>
Status transfer(Io& io, PackedStep& step) {
  TRY_STATUS(io.text(step.kind));
  TRY_STATUS(bounded(io, step.rows, "rows of a transform", int64_t{0}, kMaxDimension));
  TRY_STATUS(bounded(io, step.columns, "columns of a transform", int64_t{0}, kMaxDimension));
  TRY_STATUS(io.flag(step.transposed));
  return transfer(io, step.arrays);
}

template <class Io>
Status transfer(Io& io, PackedEntry& entry) {
  TRY_STATUS(io.text(entry.name));
  TRY_STATUS(io.text(entry.kind));
  TRY_STATUS(transfer(io, entry.scheme));
  TRY_STATUS(bounded(io, entry.input.scale, "input scale", 0.0F, std::numeric_limits<float>::max()));
  TRY_STATUS(bounded(io, entry.input.zero_point, "input zero point", -128, 255));
  TRY_STATUS(bounded(io, entry.out, "outputs", int64_t{1}, kMaxDimension));
  TRY_STATUS(bounded(io, entry.in, "inputs", int64_t{1}, kMaxDimension));
  TRY_STATUS(transfer(io, entry.arrays));
  TRY_STATUS(transfer(io, entry.bias));
  TRY_STATUS(transfer(io, entry.transform));
  return transfer(io, entry.output_transform);
}

template <class Io>
Status transfer(Io& io, SourceFile& source) {
  TRY_STATUS(io.text(source.name));
  TRY_STATUS(io.number(source.bytes));
  TRY_STATUS(io.number(source.modified));
  return io.number(source.digest);
}

template <class Io>
Status transfer(Io& io, std::string& text) {
  return io.text(text);
}

template <class Io, class T>
Status transfer(Io& io, std::pair<std::string, T>& pair) {
  TRY_STATUS(io.text(pair.first));
  return transfer(io, pair.second);
}

template <class Io, class T>
Status transfer(Io& io, std::map<std::string, T>& map) {
  std::vector<std::pair<std::string, T>> pairs(map.begin(), map.end());
  TRY_STATUS(transfer(io, pairs));
  if constexpr (Io::kReads) map = std::map<std::string, T>(pairs.begin(), pairs.end());
  return {};
}

template <class Io>
Status transfer(Io& io, PackedContents& contents) {
  TRY_STATUS(io.text(contents.format));
  TRY_STATUS(transfer(io, contents.options));
  TRY_STATUS(transfer(io, contents.sources));
  TRY_STATUS(io.number(contents.largest_source_bytes));
  TRY_STATUS(transfer(io, contents.files));
  return transfer(io, contents.entries);
}

Preamble read_preamble(std::span<const std::byte> file) {
  Preamble preamble;
  std::memcpy(&preamble, file.data(), sizeof(preamble));
  return preamble;
}

/// Whether the header, and where arrays begin, are within the file.
bool header_fits(const Preamble& preamble, uint64_t file_bytes) {
  return preamble.header_bytes <= file_bytes && arrays_begin(preamble.header_bytes) <= file_bytes;
}

}  // namespace

Status check_packed_preamble(std::span<const std::byte> file, std::string_view name) {
  const auto magic = std::as_bytes(std::span(kMagic));
  if (file.size() < magic.size() || !std::ranges::equal(file.first(magic.size()), magic))
    return invalid_argument("{}: not a packed file, expected one made by tessera pack", name);
  if (file.size() < sizeof(Preamble)) return data_corrupt("{}: torn: {} bytes", name, file.size());
  const Preamble preamble = read_preamble(file);
  if (preamble.byte_order != kByteOrder)
    return unsupported("{}: packed on a machine with another byte order, expected little-endian", name);
  if (preamble.version != kPackedVersion)
    return unsupported("{}: packed file of version {}, expected {}: pack it again", name, preamble.version,
                       kPackedVersion);
  if (preamble.layout != kPackedLayout)
    return unsupported("{}: weights in layout {}, expected {}: pack it again", name, preamble.layout,
                       kPackedLayout);
  if (preamble.file_bytes != file.size())
    return data_corrupt("{}: torn: {} bytes, expected {}", name, file.size(), preamble.file_bytes);
  if (!header_fits(preamble, file.size()) ||
      preamble.checksum != checksum_of(preamble, file.subspan(sizeof(Preamble), preamble.header_bytes)))
    return data_corrupt("{}: torn: the header does not match its checksum", name);
  return {};
}

Result<PackedContents> parse_packed_header(std::span<const std::byte> file) {
  if (file.size() < sizeof(Preamble)) return data_corrupt("{} bytes, expected a preamble", file.size());
  const Preamble preamble = read_preamble(file);
  if (!header_fits(preamble, file.size()))
    return data_corrupt("a header of {} bytes in a file of {}", preamble.header_bytes, file.size());
  PackedReader reader(file, sizeof(Preamble), sizeof(Preamble) + preamble.header_bytes,
                      arrays_begin(preamble.header_bytes));
  PackedContents contents;
  TRY_STATUS(transfer(reader, contents));
  if (reader.left() != 0) return data_corrupt("{} bytes after the header's last field", reader.left());
  return contents;
}

Result<PackedPlan> plan_packed_file(PackedContents contents) {
  PackedWriter writer;
  TRY_STATUS(transfer(writer, contents));
  Preamble preamble;
  preamble.header_bytes = writer.fields().size();
  const uint64_t begin = arrays_begin(preamble.header_bytes);
  preamble.file_bytes = begin + writer.array_bytes();
  preamble.checksum = checksum_of(preamble, writer.fields());

  PackedPlan plan;
  plan.file_bytes = preamble.file_bytes;
  plan.arrays = std::move(writer.arrays());
  for (PackedPlan::Place& place : plan.arrays)
    place.offset += begin;
  const auto first = std::as_bytes(std::span(&preamble, 1));
  plan.head.assign(first.begin(), first.end());
  plan.head.insert(plan.head.end(), writer.fields().begin(), writer.fields().end());
  return plan;
}

}  // namespace tessera::formats
