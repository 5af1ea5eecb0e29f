#include "cli/generate.h"

#include <fmt/format.h>

#include <cstdio>
#include <limits>

#include "cli/answer.h"
#include "cli/model_options.h"
#include "cli/trace_option.h"

namespace tessera::cli {
namespace {

void add_sampling(CLI::App& command, engine::Request& request) {
  sampling::SamplingParams& sampling = request.sampling;
  command.add_option("--max-new-tokens", request.max_new_tokens, "length of the answer at most")
      ->check(CLI::Range(1, std::numeric_limits<int32_t>::max()))
      ->capture_default_str();
  command.add_option("--temperature", sampling.temperature, "0: always the most likely token")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command.add_option("--top-p", sampling.top_p, "only tokens that make up this share of probability")
      ->capture_default_str();
  command.add_option("--top-k", sampling.top_k, "only the k most likely tokens, -1: all")
      ->capture_default_str();
  command
      .add_option("--min-p", sampling.min_p, "only tokens at least this likely, relative to the most likely")
      ->capture_default_str();
  command.add_option("--seed", sampling.seed, "same seed, same answer (default: from the system)");
  command.add_option("--stop", request.stop, "text that ends the answer; may be repeated")
      ->expected(1)
      ->take_all();
  command.add_flag("--ignore-eos", request.ignore_eos, "go on after the end-of-sequence token");
}

Result<std::vector<int32_t>> prompt_ids(const GenerateArguments& arguments,
                                        const engine::OpenedModel& model) {
  if (!arguments.input_ids.empty()) return parse_token_ids("--input-ids", arguments.input_ids);
  if (!arguments.chat) return model.tokenizer->encode(arguments.prompt, true).context("--prompt");
  return render_chat(model,
                     nlohmann::ordered_json::array({{{"role", "user"}, {"content", arguments.prompt}}}));
}

void print_json(const Answer& answer) {
  const nlohmann::ordered_json json = {{"text", answer.text},
                                       {"output_ids", answer.ids},
                                       {"prompt_tokens", answer.prompt_tokens},
                                       {"completion_tokens", answer.completion_tokens},
                                       {"cached_tokens", answer.cached_tokens},
                                       {"prefill_tokens_per_s", answer.prefill_tokens_per_s},
                                       {"decode_tokens_per_s", answer.decode_tokens_per_s}};
  fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

}  // namespace

void add_generate_options(CLI::App& command, GenerateArguments& arguments) {
  add_model_options(command, arguments.model);
  CLI::Option* prompt = command.add_option("--prompt", arguments.prompt, "text to continue");
  CLI::Option* ids =
      command.add_option("--input-ids", arguments.input_ids, "or token ids to continue, such as 1,2,3");
  prompt->excludes(ids);
  command.parse_complete_callback([prompt, ids] {
    if (prompt->empty() && ids->empty()) throw CLI::RequiredError("--prompt or --input-ids");
  });
  command.add_flag("--chat", arguments.chat, "the prompt is a user's message: apply the chat template")
      ->needs(prompt);
  add_sampling(command, arguments.request);
  add_trace(command, arguments.trace);
  command.add_flag("--json", arguments.json, "text, ids, counts and speed as one JSON object");
}

Status run_generate(const GenerateArguments& arguments) {
  TRY_STATUS(sampling::validate(arguments.request.sampling));
  const auto timeline = TRY(start_trace(arguments.trace));
  const Session session = TRY(open_session(arguments.model));
  engine::Request request = arguments.request;
  request.prompt_ids = TRY(prompt_ids(arguments, session.model));
  const Answer answer = TRY(ask(*session.engine, std::move(request), [&](std::string_view text) {
    if (arguments.json) return;
    fmt::print("{}", text);
    std::fflush(stdout);
  }));
  if (arguments.json) {
    print_json(answer);
  } else {
    fmt::print("\n");
  }
  return {};
}

}  // namespace tessera::cli
