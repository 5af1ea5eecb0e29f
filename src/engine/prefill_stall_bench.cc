// How much a long prompt delays the answers under way: the time between their tokens while it is computed,
// against the same without it. Interleaved rounds, each with the limit of --max-step-stretch 2 and without.
//   prefill_stall_bench CONFIG.json SCHEME [STREAMS=4] [PROMPT=8192] [ROUNDS=3] [THREADS=0]
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/file.h"
#include "engine/byte_tokenizer.h"
#include "engine/model_executor.h"
#include "engine/scheduler.h"

namespace tessera::engine {
namespace {

constexpr int32_t kContextBefore = 64;  // of the streams
constexpr int kQuietSteps = 40;

struct Times {
  std::vector<double> quiet, busy;  // steps with a token of every stream: without, and with prompt tokens
  double prefill_s = 0;
};

double quantile(std::vector<double> values, double part) {
  std::ranges::sort(values);
  return values[static_cast<size_t>(part * static_cast<double>(values.size() - 1))];
}

Request greedy(int32_t prompt, int32_t max_new_tokens, int32_t first) {
  Request request{.max_new_tokens = max_new_tokens, .sampling = {.temperature = 0}};
  for (int32_t at = 0; at < prompt; ++at)
    request.prompt_ids.push_back((first + at * 31) % 200);
  request.ignore_eos = true;
  return request;
}

Times measure(Executor& executor, const text::Tokenizer& tokenizer, double stretch, int32_t streams,
              int32_t prompt) {
  Scheduler scheduler(executor, tokenizer, {.max_step_stretch = stretch, .share_prefixes = false}, 1);
  const int32_t room = executor.info().max_context - kContextBefore;
  for (int32_t stream = 0; stream < streams; ++stream)
    scheduler.add(static_cast<RequestId>(stream + 1), greedy(kContextBefore, room, stream),
                  [](const Output&) {});
  while (scheduler.stats().generated_tokens < streams)
    scheduler.step();
  Times times;
  const auto timed_step = [&](std::vector<double>& into) {
    const double start = steady_seconds();
    scheduler.step();
    into.push_back(steady_seconds() - start);
  };
  for (int step = 0; step < kQuietSteps; ++step)
    timed_step(times.quiet);
  bool answered = false;
  scheduler.add(1000, greedy(prompt, 1, 7), [&](const Output&) { answered = true; });
  const double start = steady_seconds();
  while (!answered)
    timed_step(times.busy);
  times.prefill_s = steady_seconds() - start;
  for (int step = 0; step < kQuietSteps; ++step)
    timed_step(times.quiet);
  return times;
}

int run(int count, char** arguments) {
  const auto number = [&](int at, int fallback) { return count > at ? std::atoi(arguments[at]) : fallback; };
  const int32_t streams = number(3, 4), prompt = number(4, 8192), rounds = number(5, 3);
  const auto config = read_text_file(arguments[1], 1 << 20);
  CHECK(config.has_value(), "{}", config.error().message());
  auto model =
      models::Model::dummy(nlohmann::json::parse(*config), {.scheme = arguments[2], .threads = number(6, 0)});
  CHECK(model.has_value(), "{}", model.error().message());
  ExecutorInfo info{
      .vocab_size = (*model)->config().vocab, .max_context = prompt + 2048, .page_size = 64, .page_count = 0};
  info.page_count = (streams + 1) * (info.max_context / info.page_size + 1);
  auto cache = (*model)->make_cache(info.page_size, info.page_count);
  CHECK(cache.has_value(), "{}", cache.error().message());
  ModelExecutor executor(std::move(*model), std::move(*cache), info);
  const auto tokenizer = text::Tokenizer::from_json(byte_tokenizer_json());
  CHECK(tokenizer.has_value(), "{}", tokenizer.error().message());
  for (int round = 0; round < rounds; ++round) {
    for (const double stretch : {2.0, 0.0}) {
      const Times times = measure(executor, *tokenizer, stretch, streams, prompt);
      const double quiet = quantile(times.quiet, 0.5);
      fmt::print(
          "stretch {:.0f}: {} streams, {} prompt tokens: time between tokens, over its median without the "
          "prompt: mean {:.2f}, median {:.2f}, p90 {:.2f}, p99 {:.2f}; prompt {:.0f} tokens/s in {} steps\n",
          stretch, streams, prompt, times.prefill_s / static_cast<double>(times.busy.size()) / quiet,
          quantile(times.busy, 0.5) / quiet, quantile(times.busy, 0.9) / quiet,
          quantile(times.busy, 0.99) / quiet, prompt / times.prefill_s, times.busy.size());
    }
  }
  return 0;
}

}  // namespace
}  // namespace tessera::engine

int main(int count, char** arguments) {
  if (count < 3) {
    fmt::print(stderr, "usage: {} CONFIG.json SCHEME [STREAMS] [PROMPT] [ROUNDS] [THREADS]\n", arguments[0]);
    return 2;
  }
  return tessera::engine::run(count, arguments);
}
