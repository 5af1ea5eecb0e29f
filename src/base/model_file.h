// Opening a file that belongs to a model directory: symbolic links may lead to where the directory's owner
// keeps the bytes, and nowhere else. Thread-safe.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/file.h"

namespace tessera {

/// Opens DIRECTORY/FILE_NAME (a plain name). The file, links resolved, must lie below the directory, or, in
/// the Hugging Face cache's layout (MODEL/snapshots/REVISION/FILE -> ../../blobs/HASH), below MODEL/blobs:
/// kInvalidArgument else, also when it is no regular file. kNotFound.
Result<InputFile> open_model_file(const std::filesystem::path& directory, std::string_view file_name);

/// The whole of it as text; kResourceExhausted when it is larger than `max_bytes`.
Result<std::string> read_model_text(const std::filesystem::path& directory, std::string_view file_name,
                                    uint64_t max_bytes);

}  // namespace tessera
