#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/eval.h"
#include "cli/eval_text.h"
#include "cli/model_options.h"
#include "eval/kl.h"

namespace tessera::cli {
namespace {

struct KlArguments {
  models::LoadOptions model;
  std::string reference;
  EvalText text;
  std::string per_token;  // a file to write
  bool json = false;
};

Status run_kl(const KlArguments& arguments) {
  models::LoadOptions reference_options;
  reference_options.model_path = arguments.reference;
  reference_options.threads = arguments.model.threads;
  const std::vector<int32_t> ids = TRY(read_text_ids(arguments.text, reference_options));
  const auto reference = TRY(models::Model::load(reference_options));
  const auto model = TRY(models::Model::load(arguments.model));
  const auto result = TRY(
      eval::measure_kl(*model, *reference, ids, arguments.text.context, arguments.text.stride_or_context()));
  if (!arguments.per_token.empty())
    TRY_STATUS(write_text_file(arguments.per_token, eval::per_token_table(result, ids)));
  if (arguments.json) {
    const nlohmann::ordered_json json = {{"mean_kl", result.mean_kl},
                                         {"p99_kl", result.p99_kl},
                                         {"top1_agreement", result.top1_agreement},
                                         {"tokens", result.tokens.size()},
                                         {"seconds", result.seconds}};
    fmt::print("{}\n", json.dump(2));
  } else {
    fmt::print(
        "mean KL {:.6f}, 99th percentile {:.6f}, same likeliest token {:.4f}, over {} tokens, {:.1f} s\n",
        result.mean_kl, result.p99_kl, result.top1_agreement, result.tokens.size(), result.seconds);
  }
  return {};
}

}  // namespace

void add_kl(CLI::App& command, EvalArguments& arguments) {
  CLI::App* kl =
      command.add_subcommand("kl", "divergence of a model's predictions from a reference's, on a text");
  kl->footer(
      "Example:\n  tessera eval kl --model-path models/smollm2-w8a8 --reference models/smollm2 --text "
      "tests/data/prose.txt");
  const auto own = std::make_shared<KlArguments>();
  add_model_options(*kl, own->model);
  kl->add_option("--reference", own->reference, "directory of the model to compare with")->required();
  add_text_options(*kl, own->text);
  kl->add_option("--per-token", own->per_token,
                 "file to write: position, id, KL and agreement of every token");
  kl->add_flag("--json", own->json, "for programs");
  kl->callback([own, &arguments] { arguments.run = [own] { return run_kl(*own); }; });
}

}  // namespace tessera::cli
