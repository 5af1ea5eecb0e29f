// FloatModel: the model that is quantized: its directory, opened and checked, and its tensors, rotated if
// that is asked for.
#pragma once

#include <memory>
#include <optional>

#include "compress/quantize_plan.h"
#include "compress/rotate/rotated_source.h"
#include "formats/hf/model_dir.h"
#include "formats/weight_format.h"
#include "models/model_config.h"

namespace tessera::compress {

struct FloatModel {
  formats::ModelDir directory;
  std::unique_ptr<formats::TensorSource> files;
  std::unique_ptr<RotatedSource> rotated;
  std::unique_ptr<formats::WeightReader> reader;  // of source()
  std::optional<models::ModelConfig> config;      // where something runs or rotates the model
  bool tied = false;                              // the head is the embedding

  const formats::TensorSource& source() const { return rotated ? *rotated : *files; }
};

/// kInvalidArgument for a directory that is quantized already.
Result<FloatModel> open_float_model(const QuantizeOptions& options);

}  // namespace tessera::compress
