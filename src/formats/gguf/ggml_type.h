// The element types of GGUF tensors that we import, and their exact meaning in float32: the definitions are
// those of ggml's dequantize_row_* functions, held to by goldens from the Python package gguf
// (tests/golden/gguf). Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"

namespace tessera::formats::gguf {

struct GgmlType {
  std::string_view name;
  uint32_t id = 0;  // in the file
  uint32_t block_elements = 1;
  uint32_t block_bytes = 0;
  /// Decodes one block: block_bytes at `block` to block_elements at `out`.
  void (*decode)(const uint8_t* block, float* out) = nullptr;
};

std::span<const GgmlType> supported_types();

/// kUnsupported naming the type and those that are supported.
Result<const GgmlType*> find_type(uint32_t id);

/// Decodes whole blocks; CHECKs that the sizes fit each other.
void dequantize(const GgmlType& type, std::span<const std::byte> blocks, std::span<float> out);

}  // namespace tessera::formats::gguf
