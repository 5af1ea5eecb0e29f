// The tensors that one module NAME has in a compressed-tensors checkpoint, and how they say it is stored.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "formats/tensor_source.h"
#include "quant/scheme.h"

namespace tessera::formats::compressed_tensors {

enum class Stored {
  kAbsent,   // neither weight nor weight_packed
  kFloat,    // weight F32, F16, BF16
  kInteger,  // weight I8, a byte per code
  kPacked,   // weight_packed I32, a dense bit stream per row
  kForeign,  // FP8, FP4, Marlin, sparse: named by `foreign`
};

/// Pointers into the source; nullptr = absent.
struct Module {
  Stored stored = Stored::kAbsent;
  const TensorInfo* weight = nullptr;  // weight or weight_packed
  const TensorInfo* scale = nullptr;
  const TensorInfo* shape = nullptr;
  const TensorInfo* zero_point = nullptr;
  const TensorInfo* group_index = nullptr;
  const TensorInfo* bias = nullptr;
  std::string foreign;  // "weight is F8_E4M3"

  bool quantized() const { return stored == Stored::kInteger || stored == Stored::kPacked; }
  std::vector<std::string> names() const;
};

Module find_module(const TensorSource& source, std::string_view name);

/// Misfits of dtypes and shapes of a quantized module against [out, in] and the scheme; no data is read.
std::vector<std::string> quantized_misfits(const Module& module, const quant::LinearScheme& scheme,
                                           int64_t out, int64_t in);

}  // namespace tessera::formats::compressed_tensors
