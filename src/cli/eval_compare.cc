#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "cli/eval.h"
#include "cli/eval_text.h"
#include "cli/gsm8k_options.h"
#include "eval/compare.h"
#include "eval/compare_report.h"

namespace tessera::cli {
namespace {

struct CompareArguments {
  std::vector<std::string> models;
  EvalText text;
  eval::Gsm8kOptions gsm8k;
  eval::SpeedOptions speed;
  int threads = 0;
  std::string html;  // a file to write
  bool json = false;
};

/// "DIR" or "DIR,weight-layout=nd,quantization=w8a8_int8,kv-cache-dtype=int8,dtype=float32,name=ND".
Result<eval::ComparedModel> parse_model(std::string_view spec, int threads) {
  eval::ComparedModel model;
  model.name = spec;
  model.load.threads = threads;
  const std::pair<std::string_view, std::string*> settings[] = {
      {"weight-layout", &model.load.weight_layout},
      {"quantization", &model.load.quantization},
      {"kv-cache-dtype", &model.load.kv_cache_dtype},
      {"dtype", &model.load.dtype},
      {"name", &model.name}};
  std::string_view rest = spec;
  for (bool first = true; first || !rest.empty(); first = false) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view part = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if (first) {
      model.load.model_path = part;
      continue;
    }
    const size_t equals = std::min(part.find('='), part.size());
    const auto* setting =
        std::ranges::find(settings, part.substr(0, equals), [](const auto& s) { return s.first; });
    if (setting == std::end(settings) || equals == part.size()) {
      return invalid_argument(
          "{}: \"{}\", expected weight-layout=, quantization=, kv-cache-dtype=, dtype= or name=", spec, part);
    }
    *setting->second = part.substr(equals + 1);
  }
  return model;
}

Status run_compare(const CompareArguments& arguments) {
  eval::CompareOptions options;
  for (const std::string& spec : arguments.models)
    options.models.push_back(TRY(parse_model(spec, arguments.threads)));
  options.context = arguments.text.context;
  options.stride = arguments.text.stride_or_context();
  options.speed = arguments.speed;
  if (!arguments.gsm8k.data_path.empty()) options.gsm8k = arguments.gsm8k;
  const std::vector<int32_t> ids = TRY(read_text_ids(arguments.text, options.models[0].load));
  const auto rows = TRY(eval::compare_models(options, ids));
  if (!arguments.html.empty())
    TRY_STATUS(write_text_file(arguments.html, eval::to_html(rows, arguments.text.file)));
  fmt::print("{}", arguments.json ? eval::to_json(rows).dump(2) + "\n" : eval::to_text(rows));
  return {};
}

}  // namespace

void add_compare(CLI::App& command, EvalArguments& arguments) {
  CLI::App* compare =
      command.add_subcommand("compare", "several models: bytes, perplexity, divergence, GSM8K, speed");
  compare->footer(
      "Example:\n  tessera eval compare models/smollm2 models/smollm2-w8a8 "
      "models/smollm2,quantization=w4a8_int8,name=w4a8 --text tests/data/prose.txt --html compare.html");
  const auto own = std::make_shared<CompareArguments>();
  compare
      ->add_option(
          "models", own->models,
          "directories, each with settings behind commas: DIR,weight-layout=nd,quantization=w8a8_int8,"
          "kv-cache-dtype=int8,dtype=float32,name=NAME; divergence is from the first")
      ->required();
  add_text_options(*compare, own->text);
  add_gsm8k_options(*compare, own->gsm8k);
  const auto positive = CLI::Range(1, std::numeric_limits<int32_t>::max());
  compare->add_option("--prompt", own->speed.prompt, "tokens of the prompt that is timed")
      ->check(positive)
      ->capture_default_str();
  compare->add_option("--decode", own->speed.decode, "tokens after it")
      ->check(positive)
      ->capture_default_str();
  compare->add_option("--repeats", own->speed.repeats, "timings, of which the median counts")
      ->check(positive)
      ->capture_default_str();
  compare->add_option("--threads", own->threads, "worker threads (default: all cores)")
      ->check(CLI::Range(1, 1024));
  compare->add_option("--html", own->html,
                      "file to write: the table and plots, as a page that opens offline");
  compare->add_flag("--json", own->json, "for programs");
  compare->callback([own, &arguments] { arguments.run = [own] { return run_compare(*own); }; });
}

}  // namespace tessera::cli
