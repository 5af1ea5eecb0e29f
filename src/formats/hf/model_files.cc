#include "formats/hf/model_files.h"

#include <array>

#include "base/model_file.h"

namespace tessera::formats {
namespace {

struct Limit {
  std::string_view name;
  uint64_t most_bytes;
};
constexpr std::array kFiles = {
    Limit{"config.json", uint64_t{64} << 20}, Limit{"generation_config.json", uint64_t{64} << 20},
    Limit{"tokenizer.json", uint64_t{128} << 20}, Limit{"tokenizer_config.json", uint64_t{16} << 20},
    Limit{"chat_template.jinja", uint64_t{128} << 10}};

}  // namespace

Result<ModelFiles> read_model_files(const std::filesystem::path& directory) {
  ModelFiles files{.origin = directory, .texts = {}};
  for (const auto& [name, most_bytes] : kFiles) {
    std::error_code error;
    if (name != "config.json" && !std::filesystem::exists(directory / name, error)) continue;
    const InputFile file = TRY(open_model_file(directory, name));
    files.texts.emplace(name, TRY(read_text_file(file.path(), most_bytes)));
  }
  return files;
}

}  // namespace tessera::formats
