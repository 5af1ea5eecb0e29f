#include "base/model_file.h"

#include <algorithm>

namespace tessera {
namespace {

namespace fs = std::filesystem;

bool is_below(const fs::path& file, const fs::path& root) {
  return std::mismatch(root.begin(), root.end(), file.begin(), file.end()).first == root.end();
}

}  // namespace

Result<InputFile> open_model_file(const fs::path& directory, std::string_view file_name) {
  const fs::path path = directory / file_name;
  std::error_code error;
  const fs::path root = fs::canonical(directory, error);
  if (error) return not_found("{}: cannot open: {}", directory.string(), error.message());
  const fs::path file = fs::canonical(path, error);
  if (error) return not_found("{}: cannot open: {}", path.string(), error.message());

  const bool hub_cache = root.parent_path().filename() == "snapshots";
  const fs::path blobs = root.parent_path().parent_path() / "blobs";
  if (!is_below(file, root) && !(hub_cache && is_below(file, blobs))) {
    return invalid_argument("{}: links to {}, expected a file below {}", path.string(), file.string(),
                            hub_cache ? blobs.string() : root.string());
  }
  return InputFile::open(file);
}

Result<std::string> read_model_text(const fs::path& directory, std::string_view file_name,
                                    uint64_t max_bytes) {
  const InputFile file = TRY(open_model_file(directory, file_name));
  return read_text_file(file.path(), max_bytes);
}

}  // namespace tessera
