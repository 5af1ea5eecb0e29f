// The token sequences that calibration runs on.
#pragma once

#include <string>

#include "base/result.h"
#include "compress/calibrate/calibrated_rounding.h"

namespace tessera::compress {

struct CalibrationText {
  std::string file;  // text, or .jsonl: objects with "text", or "messages" for the chat template; empty: the
                     // program's own
  int32_t sequences = 128;  // at most
  int32_t length = 512;     // tokens of each
};

/// The beginning of the text by the tokenizer of `model_path`, cut into sequences; documents of a .jsonl file
/// follow each other. kInvalidArgument when it is shorter than one sequence, a line is not such an object
/// (named), or a sequence is longer than the model's context.
Result<CalibrationData> read_calibration(const std::string& model_path, const CalibrationText& text,
                                         int32_t context);

}  // namespace tessera::compress
