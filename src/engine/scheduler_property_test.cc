// Random arrivals, cancels, lengths and caches: whatever happens around a request, it gets exactly what it
// gets alone. Each round is a seed; a failure names it.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>

#include "engine/admission.h"
#include "engine/engine_test_support.h"
#include "engine/scheduler.h"

namespace tessera::engine {
namespace {

class Random {
 public:
  explicit Random(uint32_t seed) : bits_(seed) {}
  int32_t between(int32_t low, int32_t high) {
    return std::uniform_int_distribution<int32_t>(low, high)(bits_);
  }
  bool one_in(int32_t n) { return between(1, n) == 1; }

 private:
  std::mt19937 bits_;
};

struct Plan {
  Request request;
  int32_t arrives = 0;        // before this step
  int32_t cancelled_at = -1;  // before this step, if it has not finished
  Client client = {};
};

Request random_request(Random& random, const ExecutorInfo& info) {
  const int32_t fits = std::min(info.max_context, info.page_size * info.page_count);
  const int32_t prompt = random.between(1, std::min(fits, 20));
  Request request{.max_new_tokens = random.between(0, std::min(fits - prompt, 25))};
  // Few different tokens, so that prompts share beginnings.
  for (int32_t token = 0; token < prompt; ++token)
    request.prompt_ids.push_back(random.between('a', 'b'));
  if (random.one_in(2)) {
    request.sampling.temperature = 0;
  } else {
    request.sampling = {.temperature = 1.0F, .top_k = random.between(2, 50), .seed = random.between(0, 3)};
  }
  request.ignore_eos = random.one_in(2);
  if (random.one_in(3)) request.stop_token_ids = {random.between(0, 255), random.between(0, 255)};
  if (random.one_in(3)) request.stop = {std::string(1, static_cast<char>(random.between('a', 'z')))};
  if (random.one_in(4)) request.stop_regex = {"[a-e][f-z]+[a-e]"};
  request.keep_stop = random.one_in(4);
  if (random.one_in(3)) {
    request.sampling.frequency_penalty = 0.5F;
    request.sampling.repetition_penalty = 1.5F;
  }
  if (random.one_in(4)) request.sampling.min_new_tokens = random.between(0, request.max_new_tokens);
  if (random.one_in(4)) {
    request.logprobs = {.top = random.between(0, 3), .tokens = {7}};
    request.prompt_logprobs_from = random.between(-1, prompt);
  }
  if (random.one_in(10)) {
    request = {.prompt_ids = request.prompt_ids, .max_new_tokens = 0};
    request.pooling = random.one_in(2) ? Pooling::kLast : Pooling::kMean;
  }
  return request;
}

/// The same request on a scheduler and a cache of its own, in one chunk, with nothing clever.
Client alone(const Request& request, const FakeExecutor::Script& script) {
  FakeExecutor executor(
      {.vocab_size = kByteVocab, .hidden_size = 3, .max_context = 64, .page_size = 64, .page_count = 1},
      script);
  Scheduler scheduler(executor, byte_tokenizer(),
                      {.chunked_prefill_size = 64, .share_prefixes = false, .eos_token_ids = {kEos, 0, 1, 2}},
                      1);
  Client client;
  scheduler.add(1, request, client.callback());
  while (!scheduler.idle())
    scheduler.step();
  return client;
}

void expect_same(const Plan& plan, const Client& expected) {
  const Client& client = plan.client;
  ASSERT_TRUE(client.finish) << "it never got its last output";
  if (client.finish->kind == FinishReason::Kind::kAbort) {
    EXPECT_TRUE(plan.cancelled_at >= 0 && client.aborted(ErrorCode::kCancelled)) << client.matched();
    ASSERT_LE(client.ids.size(), expected.ids.size());
    EXPECT_TRUE(std::equal(client.ids.begin(), client.ids.end(), expected.ids.begin()));
    EXPECT_TRUE(expected.text.starts_with(client.text));
    EXPECT_TRUE(expected.logprobs.starts_with(client.logprobs));
    return;
  }
  EXPECT_EQ(client.ids, expected.ids);
  EXPECT_EQ(client.text, expected.text);
  EXPECT_EQ(client.finish->kind, expected.finish->kind);
  EXPECT_EQ(client.matched(), expected.matched());
  EXPECT_EQ(client.logprobs, expected.logprobs);
  EXPECT_EQ(client.embedding, expected.embedding);
}

/// As good as random, or with the last two tokens for its whole memory, so that answers go round in circles
/// and can be guessed.
FakeExecutor::Script random_script(Random& random) {
  if (random.one_in(2)) return FakeExecutor::hashed(kByteVocab);
  return [](std::span<const int32_t> history) {
    const auto last = history.last(std::min<size_t>(2, history.size()));
    return static_cast<int32_t>('a' + (last.front() * 7 + last.back() * 3) % 5);
  };
}

EngineOptions random_options(Random& random) {
  EngineOptions options{.max_running_requests = random.between(1, 6),
                        .chunked_prefill_size = random.between(1, 12),
                        .max_step_stretch = random.one_in(2) ? 0.0 : 2.0,
                        .schedule_policy = static_cast<SchedulePolicy>(random.between(0, 3)),
                        .share_prefixes = !random.one_in(4),
                        .eos_token_ids = {kEos, 0, 1, 2}};
  if (random.one_in(2)) options.schedule_conservativeness = 0.25 * random.between(0, 3);
  if (random.one_in(2)) options.ngram.draft_tokens = random.between(1, 8);
  return options;
}

/// What must have happened somewhere, or the rounds prove nothing.
struct Seen {
  int64_t cached = 0, retractions = 0, right_drafts = 0;
};

void run_round(uint32_t seed, Seen& seen) {
  Random random(seed);
  const int32_t page_size = random.between(1, 6);
  const ExecutorInfo info{.vocab_size = kByteVocab,
                          .hidden_size = 3,
                          .max_context = random.between(8, 50),
                          .page_size = page_size,
                          .page_count = random.between(1 + 8 / page_size, 30)};
  const FakeExecutor::Script script = random_script(random);
  // Time is what the rows cost: a decode reads the weights, a prompt's token comes on top.
  double now = 0;
  FakeExecutor executor(info, script, [&](std::span<const SequenceChunk> chunks) -> Status {
    now += 1;
    for (const SequenceChunk& chunk : chunks)
      now += 0.05 * static_cast<double>(chunk.ids.size());
    return {};
  });
  Scheduler scheduler(executor, byte_tokenizer(), random_options(random), 1, [&now] { return now; });
  std::deque<Plan> plans;
  int64_t work = 0;
  for (int32_t count = random.between(1, 20); count > 0; --count) {
    const int32_t arrives =
        (plans.empty() ? 0 : plans.back().arrives) + (random.one_in(2) ? 0 : random.between(0, 9));
    plans.push_back({.request = random_request(random, info), .arrives = arrives});
    if (random.one_in(4)) plans.back().cancelled_at = arrives + random.between(0, 20);
    const Request& request = plans.back().request;
    ASSERT_TRUE(check_request(request, info)) << check_request(request, info).error().message();
    work += static_cast<int64_t>(request.prompt_ids.size()) + request.max_new_tokens;
  }
  // One at a time, one token a step, is slow; to be interrupted and begin anew a few times is the slowest
  // there can be: who needs longer starves.
  const int64_t most_steps = plans.back().arrives + 6 * work + 60;
  for (int32_t step = 0; step <= most_steps; ++step) {
    for (size_t at = 0; at < plans.size(); ++at) {
      if (plans[at].arrives == step) scheduler.add(at + 1, plans[at].request, plans[at].client.callback());
      if (plans[at].cancelled_at == step) scheduler.abort(at + 1, cancelled("by the test"));
    }
    scheduler.step();
    scheduler.check_invariants();
  }
  EXPECT_TRUE(scheduler.idle());
  EXPECT_EQ(scheduler.stats().used_tokens, 0);
  for (const Plan& plan : plans)
    expect_same(plan, alone(plan.request, script));
  const EngineStats stats = scheduler.stats();
  seen.cached += stats.cached_tokens;
  seen.retractions += stats.retractions;
  seen.right_drafts += stats.draft_step_tokens - stats.draft_steps;
}

TEST(SchedulerProperty, EveryRequestGetsWhatItGetsAlone) {
  Seen seen;
  for (uint32_t seed = 0; seed < 600; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    run_round(seed, seen);
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(seen.cached, 1000);
  EXPECT_GT(seen.retractions, 50);
  EXPECT_GT(seen.right_drafts, 300);
}

TEST(SchedulerProperty, FirstTokensComeInTheOrderOfArrival) {
  for (uint32_t seed = 0; seed < 100; ++seed) {
    Random random(seed);
    const ExecutorInfo info{.vocab_size = kByteVocab, .max_context = 40, .page_size = 2, .page_count = 40};
    FakeExecutor executor(info);
    Scheduler scheduler(executor, byte_tokenizer(),
                        {.max_running_requests = 4, .chunked_prefill_size = 5, .max_step_stretch = 0}, 1);
    std::vector<RequestId> order;
    for (RequestId id = 1; id <= 20; ++id) {
      Request request = random_request(random, info);
      request.max_new_tokens = std::max(1, request.max_new_tokens);
      request.logprobs.reset();  // they take steps of their own
      request.pooling.reset();
      if (static_cast<int32_t>(request.prompt_ids.size()) + request.max_new_tokens > 40)
        request.max_new_tokens = 1;
      scheduler.add(id, std::move(request), [&order, id, first = true](const Output&) mutable {
        if (first) order.push_back(id);
        first = false;
      });
    }
    while (!scheduler.idle())
      scheduler.step();
    EXPECT_EQ(order.size(), 20U);
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end())) << "seed " << seed;
  }
}

/// Passes every decode row's pages in the reverse order: what the fake must notice, or the tests above prove
/// nothing.
class Shuffler : public FakeExecutor {
 public:
  using FakeExecutor::FakeExecutor;
  Status step(std::span<const SequenceChunk> chunks, std::span<float> logits,
              std::span<float> hidden) override {
    std::vector<SequenceChunk> changed(chunks.begin(), chunks.end());
    std::deque<std::vector<int32_t>> pages;
    for (SequenceChunk& chunk : changed) {
      if (chunk.start == 0) continue;
      pages.emplace_back(chunk.pages.rbegin(), chunk.pages.rend());
      chunk.pages = pages.back();
    }
    return FakeExecutor::step(changed, logits, hidden);
  }
};

TEST(FakeExecutor, NoticesPagesInTheWrongOrder) {
  Shuffler executor({.vocab_size = kByteVocab, .max_context = 40, .page_size = 2, .page_count = 40});
  Scheduler scheduler(executor, byte_tokenizer(), {}, 1);
  Client client;
  scheduler.add(1, greedy({1, 2, 3}, 9), client.callback());
  while (!scheduler.idle())
    scheduler.step();
  EXPECT_TRUE(client.aborted(ErrorCode::kInternal));
}

TEST(FakeExecutor, NoticesAPageOfAnotherSequence) {
  FakeExecutor executor({.vocab_size = 10, .max_context = 8, .page_size = 2, .page_count = 4});
  std::vector<float> logits(10);
  const std::vector<int32_t> ids = {1, 2, 3}, more = {4}, mine = {0, 1}, other = {2, 1};
  ASSERT_TRUE(executor.step(std::vector<SequenceChunk>{{.ids = ids, .start = 0, .pages = mine}}, {}, {}));
  ASSERT_TRUE(executor.step(std::vector<SequenceChunk>{{.ids = more, .start = 0, .pages = other}}, {}, {}));
  ASSERT_TRUE(executor.step(
      std::vector<SequenceChunk>{
          {.ids = more, .start = 3, .pages = mine, .logits = SequenceChunk::Logits::kLast}},
      logits, {}));
  const std::vector<int32_t> overwriting = {7, 7, 7};
  ASSERT_TRUE(
      executor.step(std::vector<SequenceChunk>{{.ids = overwriting, .start = 0, .pages = other}}, {}, {}));
  EXPECT_FALSE(executor.step(std::vector<SequenceChunk>{{.ids = more, .start = 4, .pages = mine}}, {}, {}));
  const std::vector<SequenceChunk> both = {{.ids = more, .start = 2, .pages = other},
                                           {.ids = more, .start = 0, .pages = mine}};
  const Status shared = executor.step(both, {}, {});
  ASSERT_FALSE(shared);
  EXPECT_EQ(shared.error().message(), "page 1 is written to and passed twice in one step");
}

}  // namespace
}  // namespace tessera::engine
