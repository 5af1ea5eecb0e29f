// Which rows of which GGUF tensor become which Hugging Face tensor, and the conversion itself.
#pragma once

#include <vector>

#include "base/progress.h"
#include "formats/gguf/gguf_file.h"
#include "formats/gguf/import_config.h"
#include "formats/safetensors/safetensors_writer.h"

namespace tessera::formats::gguf {

struct TensorPlan {
  const GgufTensor* source = nullptr;
  int64_t first_row = 0;  // of the source: an expert's slice of a stacked tensor starts inside
  int64_t rows = 0;
  /// Above 0: the source stores each head's rows as pairs (i, i + head_dim/2); see TensorRule::paired_rows.
  int64_t paired_head_dim = 0;
  TensorSpec target;
};

/// Every tensor of the file, each with the shape that the config demands. One error lists what is missing,
/// misshapen or left over. `dtype` is F32 or BF16.
Result<std::vector<TensorPlan>> plan_tensors(const GgufFile& file, const ImportedConfig& config, DType dtype);

/// Reads, dequantizes, reorders and writes, a few megabytes at a time.
Status convert_tensors(const GgufFile& file, std::span<const TensorPlan> plan, SafetensorsWriter& writer,
                       Progress& progress);

}  // namespace tessera::formats::gguf
