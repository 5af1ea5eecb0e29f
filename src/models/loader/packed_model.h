// Packed files of models: made from a directory, found again, refused when they are of another model or other
// options. docs/loading.md has the rules.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "formats/hf/model_files.h"
#include "formats/packed/packed_file.h"
#include "models/load_report.h"
#include "models/model.h"

namespace tessera::models {

struct PackSummary {
  LoadReport report;
  uint64_t file_bytes = 0;
};

/// Loads options.model_path as Model::load() would and writes what it then has in memory, and the model's
/// small files, to `output`.
Result<PackSummary> pack_model(const LoadOptions& options, const std::string& output);

/// The packed file that the options name, or the one in their cache, made first where there is none or it
/// does not fit any more; null when they name neither. A file is compared with the options and, where they
/// have a model_path, with that directory: kInvalidArgument says what differs.
Result<std::unique_ptr<const formats::PackedFile>> open_packed_model(const LoadOptions& options);

/// Of the directory, or else out of the packed file.
Result<formats::ModelFiles> open_model_files(const LoadOptions& options);

}  // namespace tessera::models
