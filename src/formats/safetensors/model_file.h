// Opening a file that belongs to a model directory: symbolic links may lead to where the directory's owner
// keeps the bytes, and nowhere else.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/file.h"

namespace tessera::formats {

/// Opens DIRECTORY/FILE_NAME (a plain name). The file, links resolved, must lie below the directory, or, in
/// the Hugging Face cache's layout (MODEL/snapshots/REVISION/FILE -> ../../blobs/HASH), below MODEL/blobs.
/// kInvalidArgument else.
Result<InputFile> open_model_file(const std::filesystem::path& directory, std::string_view file_name);

}  // namespace tessera::formats
