#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "cli/eval.h"
#include "cli/eval_text.h"
#include "cli/model_options.h"
#include "eval/perplexity.h"

namespace tessera::cli {
namespace {

struct PerplexityArguments {
  models::LoadOptions model;
  EvalText text;
  bool json = false;
};

Status run_perplexity(const PerplexityArguments& arguments) {
  const std::vector<int32_t> ids = TRY(read_text_ids(arguments.text, arguments.model));
  const auto model = TRY(models::Model::load(arguments.model));
  const auto result =
      TRY(eval::measure_perplexity(*model, ids, arguments.text.context, arguments.text.stride_or_context()));
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

}  // namespace

void add_perplexity(CLI::App& command, EvalArguments& arguments) {
  CLI::App* perplexity = command.add_subcommand("perplexity", "of a text, in windows");
  perplexity->footer(
      "Example:\n  tessera eval perplexity --model-path models/smollm2 --text tests/data/prose.txt");
  const auto own = std::make_shared<PerplexityArguments>();
  add_model_options(*perplexity, own->model);
  add_text_options(*perplexity, own->text);
  perplexity->add_flag("--json", own->json, "for programs");
  perplexity->callback([own, &arguments] { arguments.run = [own] { return run_perplexity(*own); }; });
}

}  // namespace tessera::cli
