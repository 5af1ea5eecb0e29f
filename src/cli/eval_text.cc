#include "cli/eval_text.h"

#include <limits>

#include "base/file.h"
#include "engine/open_model.h"
#include "models/loader/packed_model.h"

namespace tessera::cli {
namespace {

constexpr uint64_t kMaxTextBytes = uint64_t{256} << 20;

}  // namespace

void add_text_options(CLI::App& command, EvalText& text) {
  command.add_option("--text", text.file, "file of UTF-8 text")->required();
  command.add_option("--context", text.context, "tokens per window")
      ->check(CLI::Range(2, std::numeric_limits<int32_t>::max()))
      ->capture_default_str();
  command
      .add_option(
          "--stride", text.stride,
          "tokens from one window's begin to the next: fewer than --context let windows overlap, so that "
          "more stands before each predicted token (default: as --context)")
      ->check(CLI::Range(1, std::numeric_limits<int32_t>::max()));
}

Result<std::vector<int32_t>> read_text_ids(const EvalText& text, const models::LoadOptions& model) {
  const std::string content = TRY(read_text_file(text.file, kMaxTextBytes));
  const auto files = TRY(models::open_model_files(model));
  const auto tokenizer = TRY(engine::open_tokenizer(files));
  return tokenizer.encode(content, false).context(text.file);
}

}  // namespace tessera::cli
