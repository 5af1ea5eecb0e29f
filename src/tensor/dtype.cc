#include "tensor/dtype.h"

#include <array>

namespace tessera {
namespace {

struct DTypeFacts {
  DType dtype;
  std::string_view name;
  size_t bytes;
};

constexpr std::array<DTypeFacts, 11> kDTypes{{{DType::kF64, "F64", 8},
                                              {DType::kF32, "F32", 4},
                                              {DType::kF16, "F16", 2},
                                              {DType::kBF16, "BF16", 2},
                                              {DType::kI64, "I64", 8},
                                              {DType::kI32, "I32", 4},
                                              {DType::kI16, "I16", 2},
                                              {DType::kI8, "I8", 1},
                                              {DType::kU8, "U8", 1},
                                              {DType::kBool, "BOOL", 1},
                                              {DType::kF8E4M3, "F8_E4M3", 1}}};

constexpr bool in_enum_order() {
  for (size_t i = 0; i < kDTypes.size(); ++i) {
    if (static_cast<size_t>(kDTypes[i].dtype) != i) return false;
  }
  return true;
}
static_assert(in_enum_order(), "dtype_size and dtype_name index by value");

}  // namespace

size_t dtype_size(DType dtype) {
  return kDTypes[static_cast<size_t>(dtype)].bytes;
}

std::string_view dtype_name(DType dtype) {
  return kDTypes[static_cast<size_t>(dtype)].name;
}

Result<DType> parse_dtype(std::string_view name) {
  for (const auto& facts : kDTypes) {
    if (facts.name == name) return facts.dtype;
  }
  return unsupported(
      "dtype \"{}\" is unknown, expected F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL or F8_E4M3", name);
}

bool is_float(DType dtype) {
  return dtype == DType::kF64 || dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

}  // namespace tessera
