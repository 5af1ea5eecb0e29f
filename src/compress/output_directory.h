// The directory that a conversion writes: made ready before, and filled with the source's other files after.
#pragma once

#include <filesystem>

#include "base/result.h"

namespace tessera::compress {

/// Creates `output` when absent. kInvalidArgument when it is the source, no directory, or not empty without
/// `force`. With `force`, config.json and weights of an earlier run are removed, so that no mixture of two
/// runs can load.
Status prepare_output_directory(const std::filesystem::path& source, const std::filesystem::path& output,
                                bool force);

/// Copies *.json, *.jinja, *.txt, *.model directly in `source`, but not config.json or an index of weights.
Status copy_side_files(const std::filesystem::path& source, const std::filesystem::path& output);

}  // namespace tessera::compress
