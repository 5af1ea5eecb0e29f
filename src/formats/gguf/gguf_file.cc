#include "formats/gguf/gguf_file.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/check.h"
#include "formats/gguf/gguf_cursor.h"

namespace tessera::formats::gguf {
namespace {

constexpr uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr uint64_t kDefaultAlignment = 32;

enum ValueType : uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64
};
constexpr std::array<uint64_t, 13> kValueBytes{1, 1, 2,  2, 4, 4, 4,
                                               1, 8, 12, 8, 8, 8};  // strings, arrays: at least

Value integer_value(uint64_t value) {
  if (value > static_cast<uint64_t>(INT64_MAX)) return value;
  return static_cast<int64_t>(value);
}

template <class T>
Result<Value> read_integer(GgufCursor& cursor, std::string_view what) {
  return Value(static_cast<int64_t>(TRY(cursor.number<T>(what))));
}

Result<Value> read_scalar(GgufCursor& cursor, uint32_t type, std::string_view what) {
  switch (type) {
    case kU8:
      return read_integer<uint8_t>(cursor, what);
    case kI8:
      return read_integer<int8_t>(cursor, what);
    case kU16:
      return read_integer<uint16_t>(cursor, what);
    case kI16:
      return read_integer<int16_t>(cursor, what);
    case kU32:
      return read_integer<uint32_t>(cursor, what);
    case kI32:
      return read_integer<int32_t>(cursor, what);
    case kI64:
      return read_integer<int64_t>(cursor, what);
    case kU64:
      return integer_value(TRY(cursor.number<uint64_t>(what)));
    case kF32:
      return Value(static_cast<double>(TRY(cursor.number<float>(what))));
    case kF64:
      return Value(TRY(cursor.number<double>(what)));
    case kString:
      return Value(TRY(cursor.string(what, kMaxStringBytes)));
    case kBool: {
      const auto byte = TRY(cursor.number<uint8_t>(what));
      if (byte > 1)
        return data_corrupt("{}: {} is the boolean {}, expected 0 or 1", cursor.file(), what, byte);
      return Value(byte == 1);
    }
    default:
      return data_corrupt("{}: {} has the value type {}, expected 0 to 12", cursor.file(), what, type);
  }
}

template <class T, class Convert>
Result<Value> read_elements(GgufCursor& cursor, uint32_t type, uint64_t count, std::string_view what,
                            Convert convert) {
  std::vector<T> elements;
  elements.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    Value value = TRY(read_scalar(cursor, type, what));
    elements.push_back(convert(value));
  }
  return Value(std::move(elements));
}

Result<Value> read_array(GgufCursor& cursor, std::string_view what) {
  const auto type = TRY(cursor.number<uint32_t>(what));
  const auto count = TRY(cursor.number<uint64_t>(what));
  if (type >= kValueBytes.size()) {
    return data_corrupt("{}: {} is an array of type {}, expected 0 to 12", cursor.file(), what, type);
  }
  if (type == kArray) return unsupported("{}: {} is an array of arrays", cursor.file(), what);
  if (count > kMaxArrayElements) {
    return resource_exhausted("{}: {} has {} elements, expected at most {}", cursor.file(), what, count,
                              kMaxArrayElements);
  }
  TRY_STATUS(cursor.check_room(what, count, kValueBytes[type]));
  if (type == kString) {
    return read_elements<std::string>(cursor, type, count, what,
                                      [](Value& value) { return std::move(std::get<std::string>(value)); });
  }
  if (type == kF32 || type == kF64) {
    return read_elements<double>(cursor, type, count, what,
                                 [](const Value& value) { return std::get<double>(value); });
  }
  return read_elements<int64_t>(cursor, type, count, what, [](const Value& value) {
    if (const auto* flag = std::get_if<bool>(&value)) return static_cast<int64_t>(*flag);
    if (const auto* large = std::get_if<uint64_t>(&value)) return std::bit_cast<int64_t>(*large);
    return std::get<int64_t>(value);
  });
}

// Row length first in the file; returns it last.
Result<std::vector<int64_t>> read_shape(GgufCursor& cursor, const std::string& where) {
  const auto rank = TRY(cursor.number<uint32_t>(where));
  if (rank < 1 || rank > kMaxRank) {
    return data_corrupt("{}: {}: {} dimensions, expected 1 to {}", cursor.file(), where, rank, kMaxRank);
  }
  std::vector<int64_t> shape(rank);
  uint64_t elements = 1;
  for (uint32_t axis = 0; axis < rank; ++axis) {
    const auto dim = TRY(cursor.number<uint64_t>(where));
    if (dim == 0 || __builtin_mul_overflow(elements, dim, &elements) ||
        elements > static_cast<uint64_t>(INT64_MAX)) {
      return data_corrupt("{}: {}: dimension {} is {}, expected at least 1 and a product below 2^63",
                          cursor.file(), where, axis, dim);
    }
    shape[rank - 1 - axis] = static_cast<int64_t>(dim);
  }
  return shape;
}

Result<GgufTensor> read_tensor_info(GgufCursor& cursor) {
  GgufTensor tensor;
  tensor.name = TRY(cursor.string("a tensor name", kMaxNameBytes));
  tensor.shape = TRY(read_shape(cursor, tensor.name));
  const std::string where = fmt::format("{}: {}", cursor.file(), tensor.name);
  const auto type_id = TRY(cursor.number<uint32_t>(tensor.name));
  tensor.type = TRY(find_type(type_id).context(where));
  if (tensor.cols() % tensor.type->block_elements != 0) {
    return data_corrupt("{}: rows of {} elements, expected a multiple of {} for {}", where, tensor.cols(),
                        tensor.type->block_elements, tensor.type->name);
  }
  // Cannot wrap before the multiplication: a row has whole blocks and the product of the shape is below 2^63.
  const uint64_t blocks = static_cast<uint64_t>(tensor.rows()) *
                          (static_cast<uint64_t>(tensor.cols()) / tensor.type->block_elements);
  if (__builtin_mul_overflow(blocks, uint64_t{tensor.type->block_bytes}, &tensor.bytes)) {
    return data_corrupt("{}: more bytes than 64 bits count", where);
  }
  tensor.offset = TRY(cursor.number<uint64_t>(tensor.name));
  return tensor;
}

// Offsets count from `data_start`: inside the file, aligned, without overlap.
Status place_tensors(std::vector<GgufTensor>& tensors, const GgufCursor& cursor, uint64_t alignment) {
  const uint64_t data_start = (cursor.position() + alignment - 1) / alignment * alignment;
  const uint64_t file_bytes = cursor.position() + cursor.left();
  const uint64_t data_bytes = data_start < file_bytes ? file_bytes - data_start : 0;
  std::vector<GgufTensor*> by_offset;
  for (GgufTensor& tensor : tensors) {
    if (tensor.offset > data_bytes || tensor.bytes > data_bytes - tensor.offset) {
      return data_corrupt("{}: {}: {} bytes from byte {} of the data, but there are {}", cursor.file(),
                          tensor.name, tensor.bytes, tensor.offset, data_bytes);
    }
    if (tensor.offset % alignment != 0) {
      return data_corrupt("{}: {}: begins at byte {} of the data, expected a multiple of {}", cursor.file(),
                          tensor.name, tensor.offset, alignment);
    }
    by_offset.push_back(&tensor);
  }
  std::ranges::sort(by_offset, {}, &GgufTensor::offset);
  uint64_t end = 0;
  for (GgufTensor* tensor : by_offset) {
    if (tensor->offset < end) {
      return data_corrupt("{}: {}: begins at byte {} of the data, inside another tensor", cursor.file(),
                          tensor->name, tensor->offset);
    }
    end = tensor->offset + tensor->bytes;
    tensor->offset += data_start;
  }
  return {};
}

Result<uint64_t> alignment_of(const GgufFile& file) {
  if (!file.has("general.alignment")) return kDefaultAlignment;
  const auto alignment = static_cast<uint64_t>(TRY(file.integer("general.alignment", 8, kMaxAlignment)));
  if (!std::has_single_bit(alignment)) {
    return data_corrupt("{}: general.alignment={}, expected a power of two", file.name(), alignment);
  }
  return alignment;
}

Status check_version(GgufCursor& cursor) {
  const std::string& file = cursor.file();
  if (TRY(cursor.number<uint32_t>("the magic number")) != kMagic) {
    return data_corrupt("{}: does not begin with \"GGUF\"", file);
  }
  const auto version = TRY(cursor.number<uint32_t>("the version"));
  if ((version & 0xffffU) == 0)
    return unsupported("{}: GGUF in big-endian order, expected little-endian", file);
  if (version != 2 && version != 3) return unsupported("{}: GGUF version {}, expected 2 or 3", file, version);
  return {};
}

}  // namespace

int64_t GgufTensor::rows() const {
  int64_t product = 1;
  for (size_t axis = 0; axis + 1 < shape.size(); ++axis)
    product *= shape[axis];
  return product;
}

Result<GgufFile> GgufFile::open(const std::filesystem::path& path) {
  auto file =
      std::make_shared<InputFile>(TRY(InputFile::open(path)));  // shared: std::function must be copyable
  const uint64_t size = file->size();
  return parse({path.string(), size,
                [file](uint64_t offset, std::span<std::byte> out) { return file->read_at(offset, out); }});
}

Result<GgufFile> GgufFile::parse(ByteSource source) {
  GgufFile file;
  file.source_ = std::move(source);
  GgufCursor cursor(file.source_);
  TRY_STATUS(check_version(cursor));
  const auto tensor_count = TRY(cursor.number<uint64_t>("the tensor count"));
  const auto key_count = TRY(cursor.number<uint64_t>("the key count"));
  if (tensor_count > kMaxTensors || key_count > kMaxKeys) {
    return data_corrupt("{}: {} tensors and {} keys, expected at most {} and {}", file.name(), tensor_count,
                        key_count, kMaxTensors, kMaxKeys);
  }
  for (uint64_t i = 0; i < key_count; ++i) {
    std::string key = TRY(cursor.string("a key", kMaxKeyBytes));
    const auto type = TRY(cursor.number<uint32_t>(key));
    Value value = TRY(type == kArray ? read_array(cursor, key) : read_scalar(cursor, type, key));
    const auto [place, inserted] = file.metadata_.emplace(std::move(key), std::move(value));
    if (!inserted) return data_corrupt("{}: the key {} is there twice", file.name(), place->first);
  }
  for (uint64_t i = 0; i < tensor_count; ++i) {
    GgufTensor tensor = TRY(read_tensor_info(cursor));
    const auto [place, inserted] = file.by_name_.emplace(tensor.name, file.tensors_.size());
    if (!inserted) return data_corrupt("{}: the tensor {} is there twice", file.name(), place->first);
    file.tensors_.push_back(std::move(tensor));
  }
  const uint64_t alignment = TRY(alignment_of(file));
  TRY_STATUS(place_tensors(file.tensors_, cursor, alignment));
  return file;
}

const GgufTensor* GgufFile::find_tensor(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

const Value* GgufFile::find(std::string_view key) const {
  const auto found = metadata_.find(std::string(key));
  return found == metadata_.end() ? nullptr : &found->second;
}

template <class T>
Result<const T*> GgufFile::typed(std::string_view key, std::string_view expected) const {
  const Value* value = find(key);
  if (value == nullptr) return not_found("{}: has no {}", name(), key);
  const T* content = std::get_if<T>(value);
  if (content == nullptr) return data_corrupt("{}: {} is not {}", name(), key, expected);
  return content;
}

Result<int64_t> GgufFile::integer(std::string_view key, int64_t min, int64_t max) const {
  const int64_t value = *TRY(typed<int64_t>(key, "an integer below 2^63"));
  if (value < min || value > max) {
    return data_corrupt("{}: {}={}, expected {} to {}", name(), key, value, min, max);
  }
  return value;
}

Result<double> GgufFile::number(std::string_view key) const {
  return *TRY(typed<double>(key, "a float"));
}
Result<bool> GgufFile::boolean(std::string_view key) const {
  return *TRY(typed<bool>(key, "a boolean"));
}
Result<std::string> GgufFile::string(std::string_view key) const {
  return *TRY(typed<std::string>(key, "a string"));
}

Result<const std::vector<std::string>*> GgufFile::strings(std::string_view key) const {
  return typed<std::vector<std::string>>(key, "an array of strings");
}

Result<const std::vector<int64_t>*> GgufFile::integers(std::string_view key) const {
  return typed<std::vector<int64_t>>(key, "an array of integers");
}

Status GgufFile::read_rows(const GgufTensor& tensor, int64_t first, int64_t count,
                           std::vector<std::byte>& scratch, std::span<float> out) const {
  CHECK(first >= 0 && count >= 0 && first + count <= tensor.rows(), "{}: rows {}+{} of {}", tensor.name,
        first, count, tensor.rows());
  scratch.resize(static_cast<uint64_t>(count) * tensor.row_bytes());
  TRY_STATUS(source_.read_at(tensor.offset + static_cast<uint64_t>(first) * tensor.row_bytes(), scratch));
  dequantize(*tensor.type, scratch, out);
  return {};
}

}  // namespace tessera::formats::gguf
