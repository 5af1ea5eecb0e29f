#include "cli/logits.h"

#include <stdlib.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <numeric>

#include "cli/model_options.h"
#include "formats/safetensors/safetensors_writer.h"

namespace tessera::cli {
namespace {

namespace fs = std::filesystem;

constexpr int32_t kPageSize = 64;       // tokens
constexpr size_t kTokensPerPass = 256;  // so that memory holds no more rows of logits

/// A folder beside the output: the writer makes a whole directory, of which one file is wanted.
class ScratchDirectory {
 public:
  static Result<ScratchDirectory> beside(const fs::path& file) {
    std::string pattern = file.string() + ".tmp.XXXXXX";
    if (mkdtemp(pattern.data()) == nullptr) {
      return invalid_argument("{}: cannot be written: {}", file.string(),
                              std::error_code(errno, std::generic_category()).message());
    }
    return ScratchDirectory(pattern);
  }
  ScratchDirectory(ScratchDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ~ScratchDirectory() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  explicit ScratchDirectory(fs::path path) : path_(std::move(path)) {}
  fs::path path_;
};

Status write_logits(models::Model& model, std::span<const int32_t> ids, formats::SafetensorsWriter& writer) {
  const auto tokens = static_cast<int32_t>(ids.size());
  const int64_t vocab = model.config().vocab;
  std::vector<int32_t> pages(static_cast<size_t>((tokens + kPageSize - 1) / kPageSize));
  std::iota(pages.begin(), pages.end(), 0);
  auto cache = TRY(model.make_cache(kPageSize, static_cast<int32_t>(pages.size())));
  std::vector<float> logits(std::min(kTokensPerPass, ids.size()) * static_cast<size_t>(vocab));
  for (size_t start = 0; start < ids.size(); start += kTokensPerPass) {
    const size_t count = std::min(kTokensPerPass, ids.size() - start);
    const models::Chunk chunk{.ids = ids.subspan(start, count),
                              .start = static_cast<int32_t>(start),
                              .pages = pages,
                              .logits = models::Chunk::Logits::kAll};
    TRY_STATUS(model.forward(std::span(&chunk, 1), cache,
                             MatrixView<float>(logits.data(), static_cast<int64_t>(count), vocab)));
    const auto rows = std::span(logits).first(count * static_cast<size_t>(vocab));
    TRY_STATUS(writer.append("logits", std::as_bytes(rows)));
  }
  return {};
}

}  // namespace

void add_logits_options(CLI::App& command, LogitsArguments& arguments) {
  add_model_options(command, arguments.model);
  command.add_option("--input-ids", arguments.input_ids, "token ids, such as 1,2,3")->required();
  command
      .add_option("--output,-o", arguments.output,
                  "safetensors file to write: \"logits\", F32 [tokens, vocab]")
      ->required();
}

Status run_logits(const LogitsArguments& arguments) {
  const std::vector<int32_t> ids = TRY(parse_token_ids("--input-ids", arguments.input_ids));
  const auto model = TRY(models::Model::load(arguments.model));
  const models::ModelConfig& config = model->config();
  if (ids.size() > static_cast<size_t>(config.max_position)) {
    return invalid_argument("--input-ids: {} tokens, expected at most {} (the model's context)", ids.size(),
                            config.max_position);
  }
  const ScratchDirectory scratch = TRY(ScratchDirectory::beside(arguments.output));
  const std::array specs = {formats::TensorSpec{
      .name = "logits", .dtype = DType::kF32, .shape = {static_cast<int64_t>(ids.size()), config.vocab}}};
  auto writer =
      TRY(formats::SafetensorsWriter::create(scratch.path(), specs, std::numeric_limits<uint64_t>::max()));
  TRY_STATUS(write_logits(*model, ids, writer));
  TRY_STATUS(writer.commit());
  std::error_code error;
  fs::rename(scratch.path() / "model.safetensors", arguments.output, error);
  if (error) return invalid_argument("{}: cannot be written: {}", arguments.output, error.message());
  return {};
}

}  // namespace tessera::cli
