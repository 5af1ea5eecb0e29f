#include "cli/eval.h"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/model_options.h"
#include "eval/perplexity.h"
#include "text/tokenizer.h"

namespace tessera::cli {
namespace {

constexpr uint64_t kMaxTextBytes = uint64_t{256} << 20;

}  // namespace

void add_eval_options(CLI::App& command, EvalArguments& arguments) {
  command.require_subcommand(1);
  CLI::App* perplexity = command.add_subcommand("perplexity", "of a text, in windows that do not overlap");
  perplexity->footer(
      "Example:\n  tessera eval perplexity --model-path models/smollm2 --text tests/data/prose.txt");
  add_model_options(*perplexity, arguments.model);
  perplexity->add_option("--text", arguments.text, "file of UTF-8 text")->required();
  perplexity->add_option("--context", arguments.context, "tokens per window")
      ->check(CLI::Range(2, std::numeric_limits<int32_t>::max()))
      ->capture_default_str();
  perplexity->add_flag("--json", arguments.json, "for programs");
}

Status run_eval(const EvalArguments& arguments) {
  const std::string text = TRY(read_text_file(arguments.text, kMaxTextBytes));
  const auto tokenizer = TRY(text::Tokenizer::load(arguments.model.model_path));
  const std::vector<int32_t> ids = TRY(tokenizer.encode(text, false).context(arguments.text));
  const auto model = TRY(models::Model::load(arguments.model));
  const auto result = TRY(eval::measure_perplexity(*model, ids, arguments.context));
  if (arguments.json) {
    const nlohmann::ordered_json json = {{"perplexity", result.perplexity},
                                         {"mean_nll", result.mean_nll},
                                         {"tokens", result.tokens},
                                         {"seconds", result.seconds}};
    fmt::print("{}\n", json.dump(2));
  } else {
    fmt::print("perplexity {:.4f} over {} tokens, {:.1f} s\n", result.perplexity, result.tokens,
               result.seconds);
  }
  return {};
}

}  // namespace tessera::cli
