// The tensors that one module NAME has in a ModelSlim checkpoint, their type, and how its weight is stored.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "formats/modelslim/description.h"
#include "formats/modelslim/schemes.h"
#include "formats/tensor_source.h"

namespace tessera::formats::modelslim {

/// Pointers into the source; nullptr = absent.
struct Module {
  std::string base;       // prefix of the linear's tensors: NAME, or NAME.linear behind a NAME.div.mul_scale
  std::string_view type;  // of the weight, as the description says it; empty when it does not
  const TypeFacts* facts = nullptr;  // nullptr: a type that we do not run
  const TensorInfo *weight = nullptr, *bias = nullptr;
  const TensorInfo *scale = nullptr, *offset = nullptr;                // weight_scale, weight_offset
  const TensorInfo *second_scale = nullptr, *second_offset = nullptr;  // of groups, beside those of channels
  const TensorInfo* scale_bias = nullptr;  // what the NPU's kernel adds for codes shifted by 8: never read
  const TensorInfo *input_scale = nullptr, *input_offset = nullptr, *deq_scale = nullptr,
                   *quant_bias = nullptr;
  const TensorInfo *left = nullptr, *right = nullptr, *clip_ratio = nullptr;
  const TensorInfo* mul_scale = nullptr;  // NAME.div.mul_scale: factors of the input

  bool quantized() const { return facts != nullptr && facts->weight_bits < 16; }
  /// Full names of all that are there.
  std::vector<std::string> names() const;
};

Module find_module(const TensorSource& source, const Description& description, std::string_view name);

enum class Packing { kBytes, kPairsOfRows, kPairsOfColumns };

/// How the weight of a quantized module lies in the file, from its shape and [out, in]. kBytes if it fits
/// none.
Packing packing_of(const Module& module, int64_t out, int64_t in);

/// [out, in] as the tensors have it, for a look without a model's config: rows are the scales', columns the
/// codes'. Rank 0 when there is no matrix.
Shape linear_shape(const Module& module, const Description& description);

/// Columns that share a scale; 0 = the whole row. Negative when the scales divide no row of `in` columns.
int group_size_of(const Module& module, int64_t in);

/// Misfits of types, dtypes and shapes of a quantized module against [out, in]; no data is read.
std::vector<std::string> quantized_misfits(const Module& module, const Description& description, int64_t out,
                                           int64_t in);

/// Misfits of NAME.div.mul_scale, which any linear may have: appended to `misfits`.
void append_factor_misfits(const Module& module, int64_t in, std::vector<std::string>& misfits);

}  // namespace tessera::formats::modelslim
