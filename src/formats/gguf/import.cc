#include "formats/gguf/import.h"

#include "base/progress.h"
#include "formats/gguf/gguf_file.h"
#include "formats/gguf/import_config.h"
#include "formats/gguf/import_tensors.h"
#include "formats/gguf/import_tokenizer.h"
#include "formats/json_limits.h"

namespace tessera::formats::gguf {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

Status prepare_directory(const fs::path& output, bool force) {
  std::error_code error;
  if (fs::exists(output, error) && !fs::is_directory(output, error)) {
    return invalid_argument("{}: is not a directory", output.string());
  }
  const bool occupied = fs::is_directory(output, error) && !fs::is_empty(output, error);
  if (occupied && !force) {
    return invalid_argument("{}: directory is not empty; --force writes into it", output.string());
  }
  fs::create_directories(output, error);
  if (error) return invalid_argument("{}: cannot create: {}", output.string(), error.message());
  fs::remove(output / "config.json", error);  // of an earlier model: what is half written must not load
  if (error)
    return invalid_argument("{}: cannot remove: {}", (output / "config.json").string(), error.message());
  return {};
}

// One id, or the list when there are several.
json eos_json(const std::vector<int64_t>& ids) {
  return ids.size() == 1 ? json(ids[0]) : json(ids);
}

json token_ids(const ImportedTokenizer& tokenizer) {
  json ids = json::object();
  if (tokenizer.bos_id) ids["bos_token_id"] = *tokenizer.bos_id;
  if (tokenizer.pad_id) ids["pad_token_id"] = *tokenizer.pad_id;
  if (!tokenizer.eos_ids.empty()) ids["eos_token_id"] = eos_json(tokenizer.eos_ids);
  return ids;
}

Status write_json(const fs::path& path, const json& value, int indent = 2) {
  const std::string text = TRY(dump_json(value, path.string(), indent));
  return write_text_file(path, text + "\n");
}

}  // namespace

Result<ImportSummary> import_gguf(const fs::path& gguf, const fs::path& output,
                                  const ImportOptions& options) {
  const GgufFile file = TRY(GgufFile::open(gguf));
  ImportedConfig config = TRY(import_config(file));
  const ImportedTokenizer tokenizer =
      TRY(import_tokenizer(file, config.dims[static_cast<size_t>(Dim::kVocab)]));
  const std::vector<TensorPlan> plan = TRY(plan_tensors(file, config, options.dtype));

  TRY_STATUS(prepare_directory(output, options.force));
  std::vector<TensorSpec> specs;
  uint64_t total_bytes = 0;
  for (const TensorPlan& item : plan) {
    specs.push_back(item.target);
    total_bytes += static_cast<uint64_t>(item.rows) * item.source->row_bytes();
  }
  SafetensorsWriter writer = TRY(SafetensorsWriter::create(output, specs, options.shard_bytes));
  Progress progress("importing", total_bytes);
  TRY_STATUS(convert_tensors(file, plan, writer, progress));
  TRY_STATUS(writer.commit());

  const json ids = token_ids(tokenizer);
  config.config.update(ids);
  config.config["torch_dtype"] = options.dtype == DType::kF32 ? "float32" : "bfloat16";
  json tokenizer_config = tokenizer.tokenizer_config;
  tokenizer_config["model_max_length"] = config.config["max_position_embeddings"];
  TRY_STATUS(write_json(output / "tokenizer.json", tokenizer.tokenizer));
  TRY_STATUS(write_json(output / "tokenizer_config.json", tokenizer_config));
  TRY_STATUS(write_json(output / "generation_config.json", ids));
  TRY_STATUS(write_json(output / "config.json", config.config));
  return ImportSummary{std::string(config.architecture->hf_class), plan.size(), writer.total_bytes()};
}

}  // namespace tessera::formats::gguf
