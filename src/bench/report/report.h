// `tessera bench report`: a folder of result files as one page that opens without a network, and as Markdown.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace tessera::bench {

struct Report {
  std::string html, markdown;
  std::vector<std::string> used, skipped;  // file names within the folder, sorted
};

/// Reads the .json and .jsonl files of `directory` and of folders in it. Skipped are files of other names,
/// and JSON of no kind that is known here. kDataCorrupt naming the first file that is malformed; kNotFound
/// when no file is of a known kind.
Result<Report> make_report(const std::filesystem::path& directory);

}  // namespace tessera::bench
