// quantize_directory: a float Hugging Face directory to a compressed-tensors or ModelSlim one, tensor by
// tensor: never more than one source tensor and its encoding are in memory. The same input gives the same
// bytes. Shows progress on stderr.
#pragma once

#include <optional>

#include "compress/auto/auto_scheme.h"
#include "compress/calibrate/calibrated_rounding.h"
#include "compress/quantize_plan.h"

namespace tessera::compress {

struct QuantizeSummary {
  size_t linears = 0;         // quantized
  uint64_t linear_bytes = 0;  // of their tensors in the output, scales included
  uint64_t source_linear_bytes = 0;
  uint64_t total_bytes = 0;  // of all tensors in the output
  std::string format = {};   // "pack-quantized", "mixed-precision", "modelslim", ...
  std::vector<std::string> schemes = {};
  CalibrationSummary calibration = {};
  std::optional<AutoReport> choice = {};  // of --scheme auto
};

/// Reads options.model_path, writes options.output (created when absent). config.json is written last: a
/// directory without it is an unfinished one. Tokenizer and other files (*.json, *.jinja, *.txt, *.model) are
/// copied. Refuses a source that is already quantized and an output that is not empty without options.force.
/// In the compressed-tensors format the same call goes on where one was interrupted (journal.h).
Result<QuantizeSummary> quantize_directory(const QuantizeOptions& options);

}  // namespace tessera::compress
