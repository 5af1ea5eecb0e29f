#include "engine/open_model.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/file.h"
#include "engine/available_memory.h"
#include "engine/model_executor.h"
#include "formats/hf/model_dir.h"
#include "models/loader/packed_model.h"
#include "text/tokenizer_config.h"

namespace tessera::engine {
namespace {

// Without --max-total-tokens: what 64 requests of full length need, and no more than a busy server of a small
// model fills (6 GB of SmolLM2-135M's cache), so that a large machine is not taken whole.
constexpr int64_t kMaxDefaultContexts = 64;
constexpr int64_t kMaxDefaultTokens = 256 * 1024;
constexpr uint64_t kMaxTemplateBytes = uint64_t{1} << 20;

Result<std::unique_ptr<text::ChatTemplate>> open_chat_template(const OpenOptions& options,
                                                               const formats::ModelFiles& files) {
  const auto config = TRY(text::TokenizerConfig::from_texts(files.find("tokenizer_config.json"),
                                                            files.find("chat_template.jinja"))
                              .context(files.origin.string()));
  std::optional<std::string> source = config.chat_template;
  std::string name = files.origin.string() + ": chat template";
  if (!options.chat_template_file.empty()) {
    name = options.chat_template_file;
    source = TRY(read_text_file(options.chat_template_file, kMaxTemplateBytes));
  }
  if (!source) return std::unique_ptr<text::ChatTemplate>();
  auto compiled = TRY(text::ChatTemplate::compile(*source, config.special_tokens()).context(name));
  return std::make_unique<text::ChatTemplate>(std::move(compiled));
}

int32_t choose_context(const OpenOptions& options, const models::ModelConfig& config) {
  if (options.context_length <= 0) return config.max_position;
  return std::min(options.context_length, config.max_position);
}

/// Pages of the cache. `memory_bytes`: available before the weights were loaded.
Result<int32_t> plan_pages(const OpenOptions& options, const models::Model& model, int32_t context,
                           uint64_t memory_bytes) {
  const auto pages_for = [&options](int64_t tokens) {
    const int64_t pages = tokens / options.page_size + (tokens % options.page_size != 0 ? 1 : 0);
    return static_cast<int32_t>(std::min<int64_t>(pages, std::numeric_limits<int32_t>::max()));
  };
  if (options.max_total_tokens > 0) return pages_for(options.max_total_tokens);
  const int64_t wanted = std::max<int64_t>(
      context, std::min(kMaxDefaultContexts * static_cast<int64_t>(context), kMaxDefaultTokens));
  const double budget = static_cast<double>(memory_bytes) * options.mem_fraction_static -
                        static_cast<double>(model.report().packed_bytes);
  const auto page_bytes = static_cast<double>(model.page_bytes(options.page_size));
  if (budget < page_bytes) {
    return resource_exhausted(
        "{:.2f} of the {:.1f} MB of memory available hold {:.1f} MB of weights and no KV cache; expected "
        "more "
        "memory, a larger --mem-fraction-static, or a --max-total-tokens",
        options.mem_fraction_static, static_cast<double>(memory_bytes) / 1e6,
        static_cast<double>(model.report().packed_bytes) / 1e6);
  }
  const double affordable = std::min(budget / page_bytes, 2e9);
  return std::min(pages_for(wanted), static_cast<int32_t>(affordable));
}

}  // namespace

Result<text::Tokenizer> open_tokenizer(const formats::ModelFiles& files) {
  const std::string name = (files.origin / "tokenizer.json").string();
  const std::string* json = files.find("tokenizer.json");
  if (json == nullptr) return not_found("{}: no such file", name);
  return text::Tokenizer::from_json(*json).context(name);
}

Result<OpenedModel> open_model(const OpenOptions& options) {
  const formats::ModelFiles files = TRY(models::open_model_files(options.load));
  formats::ModelDir directory = TRY(formats::parse_model_dir(files));
  OpenedModel opened;
  opened.tokenizer = std::make_unique<text::Tokenizer>(TRY(open_tokenizer(files)));
  opened.chat_template = TRY(open_chat_template(options, files));

  const uint64_t memory_bytes = available_memory_bytes();
  auto model = TRY(models::Model::load(options.load));
  opened.report = model->report();
  ExecutorInfo info{.vocab_size = model->config().vocab,
                    .hidden_size = model->config().hidden,
                    .max_context = choose_context(options, model->config()),
                    .page_size = options.page_size,
                    .page_count = 0};
  info.page_count = TRY(plan_pages(options, *model, info.max_context, memory_bytes));
  auto cache = TRY(model->make_cache(info.page_size, info.page_count).context("KV cache"));
  opened.executor = std::make_unique<ModelExecutor>(std::move(model), std::move(cache), info);

  opened.eos_token_ids = std::move(directory.eos_token_ids);
  opened.config = std::move(directory.config);
  opened.generation_config = std::move(directory.generation_config);
  return opened;
}

}  // namespace tessera::engine
