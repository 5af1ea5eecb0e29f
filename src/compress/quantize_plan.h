// The plan of one `tessera quantize`: which tensors of the source are quantized and how, which are copied,
// and the quantization_config that says so. Made from names, shapes and dtypes alone; everything that can be
// refused is refused here, before a byte is written. Plain data, thread-safe to read.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "compress/recipe.h"
#include "formats/tensor_source.h"

namespace tessera::compress {

struct QuantizeOptions {
  std::string model_path;
  std::string output;
  std::string scheme;
  GroupSizeOption group_size;
  std::optional<Storage> storage;  // absent: the scheme's default
  std::vector<std::string>
      ignore;          // regexes on module names, matched from the start, as in quantization_config
  bool force = false;  // write into a directory that is not empty
  int threads = 0;     // 0: default_thread_count()
};

struct QuantizedLinear {
  std::string name;  // dotted path without ".weight"
  const formats::TensorInfo* source;
  size_t part;  // into parts
  int64_t out = 0, in = 0;
};

struct PlannedPart {
  quant::WeightScheme weight;
  Storage storage;
};

struct QuantizePlan {
  std::vector<PlannedPart> parts;
  std::vector<QuantizedLinear> linears;
  std::vector<const formats::TensorInfo*> copies;
  formats::compressed_tensors::QuantizationConfig config;
};

/// Quantizable are the 2-D weights of the decoder layers whose path ends in q/k/v/o_proj or
/// gate/up/down_proj, experts included; lm_head, routers, embeddings and norms stay as they are.
/// kInvalidArgument when nothing is left to quantize, a pattern is no regex or splits q/k/v or gate/up, or a
/// width is not a multiple of the group size (all listed).
Result<QuantizePlan> plan_quantization(const formats::TensorSource& source, const QuantizeOptions& options);

}  // namespace tessera::compress
