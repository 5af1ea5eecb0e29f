#include "formats/safetensors/header.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "formats/json_limits.h"

namespace tessera::formats {
namespace {

using nlohmann::json;

constexpr uint64_t kLengthBytes = 8;
// {"name": {"data_offsets": [0, 1], ...}}: 3 levels.
constexpr size_t kHeaderDepth = 4;
constexpr size_t kValuesPerTensor = 8 + Shape::kMaxRank;

Result<std::map<std::string, std::string>> parse_metadata(const json& value, std::string_view name) {
  if (!value.is_object()) return data_corrupt("{}: __metadata__ is not an object of strings", name);
  std::map<std::string, std::string> metadata;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string()) return data_corrupt("{}: __metadata__.{:.100} is not a string", name, key);
    metadata.emplace(key, text.get_ref<const std::string&>());
  }
  return metadata;
}

Result<Shape> parse_shape(const json& value, const std::string& where) {
  if (!value.is_array()) return data_corrupt("{}: shape is missing or not an array", where);
  std::vector<int64_t> dims;
  for (const json& dim : value) {
    if (!dim.is_number_unsigned() || dim.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) {
      return data_corrupt("{}: shape has {:.100}, expected integers >= 0", where, dim.dump());
    }
    dims.push_back(dim.get<int64_t>());
  }
  return Shape::from(dims, where);
}

Result<std::array<uint64_t, 2>> parse_offsets(const json& value, const std::string& where) {
  const bool pair =
      value.is_array() && value.size() == 2 && value[0].is_number_unsigned() && value[1].is_number_unsigned();
  if (!pair) return data_corrupt("{}: data_offsets is not a pair of integers >= 0", where);
  return std::array{value[0].get<uint64_t>(), value[1].get<uint64_t>()};
}

// Rule 4: the shape says exactly the bytes that the offsets span.
Result<uint64_t> exact_bytes(DType dtype, const Shape& shape, const std::string& where) {
  const auto elements = shape.checked_numel();
  if (!elements.has_value()) return Error(elements.error()).with_context(where);
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(static_cast<uint64_t>(*elements), uint64_t{dtype_size(dtype)}, &bytes)) {
    return data_corrupt("{}: shape {} of {} has more bytes than 64 bits count", where, shape.to_string(),
                        dtype_name(dtype));
  }
  return bytes;
}

Result<TensorInfo> parse_tensor(const std::string& key, const json& value, std::string_view name) {
  if (key.size() > kMaxTensorNameBytes) {
    return data_corrupt("{}: a tensor name has {} bytes, expected at most {}", name, key.size(),
                        kMaxTensorNameBytes);
  }
  const std::string where = fmt::format("{}: {}", name, key);
  if (!value.is_object()) return data_corrupt("{}: not an object", where);
  if (!value.contains("dtype") || !value["dtype"].is_string())
    return data_corrupt("{}: dtype is not a string", where);
  TensorInfo info;
  info.name = key;
  info.dtype = TRY(parse_dtype(value["dtype"].get_ref<const std::string&>()).context(where));
  info.shape = TRY(parse_shape(value.value("shape", json()), where));
  const auto [begin, end] = TRY(parse_offsets(value.value("data_offsets", json()), where));
  if (end < begin) return data_corrupt("{}: data_offsets [{}, {}] end before they begin", where, begin, end);
  info.offset = begin;
  info.bytes = end - begin;
  const uint64_t expected = TRY(exact_bytes(info.dtype, info.shape, where));
  if (info.bytes != expected) {
    return data_corrupt("{}: data_offsets [{}, {}] span {} bytes, but {} of shape {} has {}", where, begin,
                        end, info.bytes, dtype_name(info.dtype), info.shape.to_string(), expected);
  }
  return info;
}

// Rule 3 and 5: sorted by offset, each tensor begins where the one before ends; the last ends with the file.
Status check_layout(std::vector<TensorInfo>& tensors, uint64_t data_start, uint64_t file_bytes,
                    std::string_view name) {
  // Empty tensors share their offset with the next one, and must come first to be contiguous.
  std::ranges::sort(tensors, [](const TensorInfo& a, const TensorInfo& b) {
    return std::tie(a.offset, a.bytes, a.name) < std::tie(b.offset, b.bytes, b.name);
  });
  uint64_t end = 0;
  for (TensorInfo& info : tensors) {
    if (info.offset != end) {
      return data_corrupt("{}: {}: begins at byte {} of the data, expected {}: {}", name, info.name,
                          info.offset, end,
                          info.offset < end ? "it overlaps another tensor" : "there is a hole before it");
    }
    end += info.bytes;  // cannot wrap: the offsets were read as 64-bit ends
    info.offset += data_start;
  }
  if (end != file_bytes - data_start) {
    return data_corrupt("{}: the tensors have {} bytes, but {} bytes follow the header", name, end,
                        file_bytes - data_start);
  }
  return {};
}

}  // namespace

Result<uint64_t> parse_header_length(std::string_view first_bytes, uint64_t file_bytes,
                                     std::string_view name) {
  if (file_bytes < kLengthBytes || first_bytes.size() < kLengthBytes) {
    return data_corrupt("{}: {} bytes long, expected at least the {} bytes of a safetensors header length",
                        name, file_bytes, kLengthBytes);
  }
  uint64_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) {
    length |= static_cast<uint64_t>(static_cast<unsigned char>(first_bytes[i])) << (8 * i);
  }
  if (length > kMaxHeaderBytes) {
    return data_corrupt("{}: safetensors header of {} bytes, expected at most {}", name, length,
                        kMaxHeaderBytes);
  }
  if (length > file_bytes - kLengthBytes) {
    return data_corrupt("{}: safetensors header of {} bytes, but the file has only {} after its length", name,
                        length, file_bytes - kLengthBytes);
  }
  return length;
}

Result<SafetensorsHeader> parse_header(std::string_view json_text, uint64_t file_bytes,
                                       std::string_view name) {
  if (json_text.empty() || json_text.front() != '{') {
    return data_corrupt("{}: the safetensors header does not start with {{", name);
  }
  const JsonLimits limits{
      .max_bytes = kMaxHeaderBytes, .max_depth = kHeaderDepth, .max_values = kMaxTensors * kValuesPerTensor};
  const json root = TRY(parse_json(json_text, name, limits));
  if (root.size() > kMaxTensors) {
    return resource_exhausted("{}: {} tensors, expected at most {}", name, root.size(), kMaxTensors);
  }
  SafetensorsHeader header;
  header.tensors.reserve(root.size());
  for (const auto& [key, value] : root.items()) {
    if (key == "__metadata__") {
      header.metadata = TRY(parse_metadata(value, name));
    } else {
      header.tensors.push_back(TRY(parse_tensor(key, value, name)));
    }
  }
  TRY_STATUS(check_layout(header.tensors, kLengthBytes + json_text.size(), file_bytes, name));
  return header;
}

}  // namespace tessera::formats
