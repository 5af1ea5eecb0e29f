// FloatModel: the model that is quantized: its directory, opened and checked, and its tensors, smoothed and
// rotated if that is asked for.
#pragma once

#include <memory>
#include <optional>

#include "compress/quantize_plan.h"
#include "compress/rotate/rotated_reader.h"
#include "compress/rotate/rotated_source.h"
#include "compress/smooth/scaled_source.h"
#include "formats/hf/model_dir.h"
#include "formats/weight_format.h"
#include "models/model_config.h"

namespace tessera::compress {

struct FloatModel {
  formats::ModelDir directory;
  std::unique_ptr<formats::TensorSource> files;
  std::unique_ptr<ScaledSource> scaled;           // of files
  std::unique_ptr<RotatedSource> rotated;         // of what is before it
  OnlineTransforms online;                        // what is left to do of that
  std::unique_ptr<formats::WeightReader> reader;  // of source()
  std::optional<models::ModelConfig> config;      // where something runs or changes the model
  bool tied = false;                              // the head is the embedding

  const formats::TensorSource& source() const {
    if (rotated) return *rotated;
    if (scaled) return *scaled;
    return *files;
  }
};

/// kInvalidArgument for a directory that is quantized already.
Result<FloatModel> open_float_model(const QuantizeOptions& options);

/// plan_quantization() of its source, with the checkpoint's own dtype for what a rotation computed in more.
Result<QuantizePlan> plan_model(const FloatModel& model, const QuantizeOptions& options);

}  // namespace tessera::compress
