// What a packed file was made from: the files of a model directory that decide the weights, as they are now
// and as they were. A weight file counts as the same when its size, its time and its header are: all its
// bytes would take as long as packing them. Stateless; thread-safe.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "formats/packed/packed_header.h"

namespace tessera::formats {

/// config.json, the weight files and what describes them, sorted by name.
Result<std::vector<SourceFile>> list_sources(const std::filesystem::path& directory);

/// The first difference, such as "config.json has another content"; empty when there is none.
std::string first_difference(std::span<const SourceFile> then, std::span<const SourceFile> now);

}  // namespace tessera::formats
