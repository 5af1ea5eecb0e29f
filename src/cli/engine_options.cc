#include "cli/engine_options.h"

#include <algorithm>
#include <limits>

namespace tessera::cli {
namespace {

constexpr int32_t kMost = std::numeric_limits<int32_t>::max();

void add_speculation(CLI::App& command, EngineArguments& arguments) {
  command.add_option("--speculative-algorithm", arguments.speculative_algorithm,
                     "NGRAM: guess what follows by what followed the same words before; changes no token");
  command
      .add_option("--speculative-num-draft-tokens", arguments.speculative_num_draft_tokens,
                  "tokens of a request that a step computes, all but the first guessed (default: 12)")
      ->check(CLI::Range(2, 256));
  command
      .add_option("--speculative-ngram-min-match-window-size", arguments.ngram_min_match,
                  "tokens that must be the same for a guess")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command
      .add_option("--speculative-ngram-max-match-window-size", arguments.ngram_max_match,
                  "more of them say no more")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
}

}  // namespace

void add_engine_options(CLI::App& command, EngineArguments& arguments) {
  command.add_option("--page-size", arguments.page_size, "tokens per page of the KV cache")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command.add_flag("--disable-radix-cache", arguments.disable_radix_cache,
                   "do not keep the beginnings of requests for others that begin alike");
  command
      .add_option("--max-prefill-tokens", arguments.max_prefill_tokens,
                  "prompt tokens per step, should --chunked-prefill-size be more")
      ->check(CLI::Range(1, kMost))
      ->capture_default_str();
  // SGLang has it as this variable alone, with the same default.
  command
      .add_option("--req-waiting-timeout", arguments.req_waiting_timeout_s,
                  "seconds until a request that has not begun gets status 503; -1: it may wait for ever")
      ->envname("SGLANG_REQ_WAITING_TIMEOUT")
      ->check(CLI::Range(-1.0, 1e9))
      ->capture_default_str();
  command
      .add_option(
          "--max-step-stretch", arguments.max_step_stretch,
          "beside answers under way a prompt may make a step last so many times as long, or more where more "
          "prompts wait than there are answers; 0: any")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  command
      .add_option(
          "--schedule-policy", arguments.schedule_policy,
          "who is next: the oldest, the one with the longest prefix in the cache, anybody, or along the "
          "prefixes")
      ->check(CLI::IsMember({"fcfs", "lpm", "random", "dfs-weight"}))
      ->capture_default_str();
  command
      .add_option("--schedule-conservativeness", arguments.schedule_conservativeness,
                  "share of max_new_tokens that is reserved; below 1 more requests run at a time, and the "
                  "youngest may have to wait in between")
      ->check(CLI::Range(0.0, 1e6))
      ->capture_default_str();
  add_speculation(command, arguments);
}

Status apply_engine_options(const EngineArguments& arguments, engine::EngineOptions& options) {
  options.chunked_prefill_size = std::min(options.chunked_prefill_size, arguments.max_prefill_tokens);
  options.queue_timeout_s = std::max(0.0, arguments.req_waiting_timeout_s);
  options.max_step_stretch = arguments.max_step_stretch;
  options.schedule_policy = TRY(engine::parse_schedule_policy(arguments.schedule_policy));
  options.schedule_conservativeness = arguments.schedule_conservativeness;
  options.share_prefixes = !arguments.disable_radix_cache;
  if (arguments.speculative_algorithm.empty()) return {};
  if (arguments.speculative_algorithm != "NGRAM") {
    return unsupported("--speculative-algorithm {} is not supported, expected NGRAM",
                       arguments.speculative_algorithm);
  }
  const int32_t rows = arguments.speculative_num_draft_tokens;
  options.ngram = {.draft_tokens = (rows > 0 ? rows : std::max(2, arguments.ngram_max_match)) - 1,
                   .min_match = arguments.ngram_min_match,
                   .max_match = arguments.ngram_max_match};
  return {};
}

void describe(const EngineArguments& arguments, nlohmann::ordered_json& info) {
  info["page_size"] = arguments.page_size;
  info["disable_radix_cache"] = arguments.disable_radix_cache;
  info["max_prefill_tokens"] = arguments.max_prefill_tokens;
  info["req_waiting_timeout"] = arguments.req_waiting_timeout_s;
  info["schedule_policy"] = arguments.schedule_policy;
  info["schedule_conservativeness"] = arguments.schedule_conservativeness;
  info["speculative_algorithm"] = arguments.speculative_algorithm.empty()
                                      ? nlohmann::ordered_json()
                                      : nlohmann::ordered_json(arguments.speculative_algorithm);
}

}  // namespace tessera::cli
