// The tensors that one module NAME has in a compressed-tensors checkpoint, and how they say it is stored.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "formats/compressed_tensors/config.h"
#include "formats/tensor_source.h"
#include "quant/scheme.h"

namespace tessera::formats::compressed_tensors {

enum class Stored {
  kAbsent,    // neither weight nor weight_packed
  kFloat,     // weight F32, F16, BF16
  kInteger,   // weight I8, a byte per code
  kPacked,    // weight_packed I32, a dense bit stream per row
  kFloat8,    // weight F8_E4M3, scales in a float
  kFloat8Mx,  // weight F8_E4M3, scales U8: powers of two
  kFloat4Nv,  // weight_packed U8, two E2M1 a byte; scales F8_E4M3, divided by weight_global_scale
  kFloat4Mx,  // weight_packed U8; scales U8: powers of two
  kForeign,   // Marlin, sparse: named by `foreign`
};

/// Pointers into the source; nullptr = absent.
struct Module {
  Stored stored = Stored::kAbsent;
  const TensorInfo* weight = nullptr;  // weight or weight_packed
  const TensorInfo* scale = nullptr;
  const TensorInfo* global_scale = nullptr;
  const TensorInfo* shape = nullptr;
  const TensorInfo* zero_point = nullptr;
  const TensorInfo* group_index = nullptr;
  const TensorInfo* input_scale = nullptr;
  const TensorInfo* input_zero_point = nullptr;
  const TensorInfo* input_global_scale = nullptr;  // FP4 activations: never read
  const TensorInfo* bias = nullptr;
  std::string foreign;  // "weight is I16"

  bool integers() const { return stored == Stored::kInteger || stored == Stored::kPacked; }
  bool small_floats() const {
    return stored == Stored::kFloat8 || stored == Stored::kFloat8Mx || stored == Stored::kFloat4Nv ||
           stored == Stored::kFloat4Mx;
  }
  bool fours() const { return stored == Stored::kFloat4Nv || stored == Stored::kFloat4Mx; }
  std::vector<std::string> names() const;
};

Module find_module(const TensorSource& source, std::string_view name);

/// The coding as the shapes of the tensors tell it, for modules without a config group. Bits are known of all
/// but packed integers.
WeightCoding coding_from_tensors(const Module& module);

/// The coding with the blocks of tensor, channel and group in columns and rows: both > 0.
WeightCoding in_numbers(WeightCoding coding, int64_t out, int64_t in);

/// [scale rows, scale columns] of such a coding; the last block of either may be cut off.
Shape scale_grid(const WeightCoding& coding, int64_t out, int64_t in);

/// 32-bit words of `count` packed codes in files of compressed-tensors 0.17, which left the bits of a word
/// unused that no whole code fits in.
constexpr int64_t legacy_words(int64_t count, int bits) {
  const int64_t codes = 32 / bits;
  return (count + codes - 1) / codes;
}
/// Whether a packed weight is of that kind. Where both have as many words, it is not.
bool is_legacy_packing(const Module& module, int bits, int64_t in);

/// Misfits of dtypes and shapes of a quantized module against [out, in], coding (as the file has it) and
/// scheme; no data is read.
std::vector<std::string> quantized_misfits(const Module& module, const WeightCoding& coding,
                                           const quant::LinearScheme& scheme, int64_t out, int64_t in);

}  // namespace tessera::formats::compressed_tensors
