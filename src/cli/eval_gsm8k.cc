#include <fmt/format.h>

#include <limits>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "cli/eval.h"
#include "cli/gsm8k_options.h"
#include "cli/model_options.h"
#include "eval/engine_completer.h"
#include "eval/gsm8k.h"
#include "eval/server_completer.h"

namespace tessera::cli {
namespace {

struct Gsm8kArguments {
  models::LoadOptions model;
  eval::Gsm8kOptions gsm8k;
  eval::ServerOptions server;
  std::string answers;  // a file to write
  bool json = false;
};

Result<std::unique_ptr<eval::Completer>> open_completer(const Gsm8kArguments& arguments) {
  if (!arguments.server.base_url.empty()) return TRY(eval::ServerCompleter::connect(arguments.server));
  engine::OpenOptions open;
  open.load = arguments.model;
  auto model = TRY(engine::open_model(open));
  return TRY(eval::EngineCompleter::start(std::move(model), arguments.gsm8k.parallel));
}

/// A line of JSON per question.
Status write_answers(const std::string& path, const eval::Gsm8kResult& result) {
  std::string lines;
  for (const eval::Gsm8kAnswer& answer : result.answers) {
    const nlohmann::ordered_json json = {
        {"text", answer.text},
        {"number", answer.number ? nlohmann::ordered_json(*answer.number) : nullptr},
        {"right", answer.right}};
    lines += json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  }
  return write_text_file(path, lines);
}

void print(const eval::Gsm8kResult& result, bool as_json) {
  const double throughput = static_cast<double>(result.completion_tokens) / result.seconds;
  if (as_json) {
    const nlohmann::ordered_json json = {{"accuracy", result.accuracy},
                                         {"invalid", result.invalid},
                                         {"questions", result.questions()},
                                         {"latency_s", result.seconds},
                                         {"output_tokens_per_s", throughput}};
    fmt::print("{}\n", json.dump(2));
    return;
  }
  // As SGLang's script prints them.
  fmt::print("Accuracy: {:.3f}\nInvalid: {:.3f}\nLatency: {:.3f} s\nOutput throughput: {:.3f} token/s\n",
             result.accuracy, result.invalid, result.seconds, throughput);
}

Status run_gsm8k(const Gsm8kArguments& arguments) {
  const auto completer = TRY(open_completer(arguments));
  const auto result = TRY(eval::run_gsm8k(arguments.gsm8k, *completer));
  if (!arguments.answers.empty()) TRY_STATUS(write_answers(arguments.answers, result));
  print(result, arguments.json);
  return {};
}

void add_server_options(CLI::App& command, eval::ServerOptions& server) {
  using Api = eval::ServerOptions::Api;
  CLI::Option* url =
      command.add_option("--base-url", server.base_url,
                         "ask this server, such as http://127.0.0.1:30000, instead of a model here");
  command.add_option("--api-key", server.api_key, "sent to the server as a bearer token")->needs(url);
  command
      .add_option_function<std::string>(
          "--api",
          [&server](const std::string& name) {
            server.api = name == "generate" ? Api::kGenerate : Api::kCompletions;
          },
          "what the server speaks: generate (SGLang's /generate, the default) or completions (OpenAI's)")
      ->check(CLI::IsMember({"generate", "completions"}))
      ->needs(url);
}

}  // namespace

CLI::Option* add_gsm8k_options(CLI::App& command, eval::Gsm8kOptions& options) {
  const auto positive = CLI::Range(1, std::numeric_limits<int32_t>::max());
  command.add_option("--num-questions", options.num_questions, "from the file's beginning")
      ->check(positive)
      ->capture_default_str();
  command.add_option("--num-shots", options.num_shots, "solved questions before each, the file's first")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--parallel", options.parallel, "questions at a time")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command.add_option("--max-new-tokens", options.max_new_tokens, "length of an answer at most")
      ->check(positive)
      ->capture_default_str();
  return command.add_option("--data-path", options.data_path,
                            "JSONL of questions and answers, such as GSM8K's test.jsonl");
}

void add_gsm8k(CLI::App& command, EvalArguments& arguments) {
  CLI::App* gsm8k =
      command.add_subcommand("gsm8k", "word problems after a few solved ones, as SGLang's benchmark");
  gsm8k->footer(
      "Example:\n  tessera eval gsm8k --model-path models/arithmetic-moe --data-path "
      "models/arithmetic-moe/test.jsonl\n  tessera eval gsm8k --base-url http://127.0.0.1:30000 --data-path "
      "test.jsonl");
  const auto own = std::make_shared<Gsm8kArguments>();
  add_model_options(*gsm8k, own->model);
  add_server_options(*gsm8k, own->server);
  const CLI::Option* model = gsm8k->get_option("--model-path");
  const CLI::Option* packed = gsm8k->get_option("--packed");
  const CLI::Option* url = gsm8k->get_option("--base-url");
  gsm8k->parse_complete_callback([model, packed, url] {  // instead of add_model_options()'s
    if (model->empty() && packed->empty() && url->empty())
      throw CLI::RequiredError("--model-path, --packed or --base-url");
  });
  add_gsm8k_options(*gsm8k, own->gsm8k)->required();
  gsm8k->add_option("--answers", own->answers, "file to write: a line of JSON per question");
  gsm8k->add_flag("--json", own->json, "for programs");
  gsm8k->callback([own, &arguments] { arguments.run = [own] { return run_gsm8k(*own); }; });
}

}  // namespace tessera::cli
