// Element types as checkpoints name them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace tessera {

enum class DType : uint8_t { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool, kF8E4M3 };

/// Bytes of one element.
size_t dtype_size(DType dtype);

/// The safetensors name: "F32", "BF16", "I8", "F8_E4M3" ...
std::string_view dtype_name(DType dtype);

/// From the safetensors name; kUnsupported for names we do not know.
Result<DType> parse_dtype(std::string_view name);

/// F64, F32, F16 or BF16.
bool is_float(DType dtype);

}  // namespace tessera
