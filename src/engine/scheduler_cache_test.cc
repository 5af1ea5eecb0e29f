// What requests share: prefixes, the order in which they are admitted, and places that are taken back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "engine/engine_test_support.h"
#include "engine/scheduler.h"

namespace tessera::engine {
namespace {

using testing::ElementsAre;

const ExecutorInfo kInfo{.vocab_size = kByteVocab, .max_context = 200, .page_size = 4, .page_count = 50};

/// A scheduler on a fake, stepped by hand; remembers tokens computed and the order of first tokens.
class Bench {
 public:
  explicit Bench(EngineOptions options = {}, const ExecutorInfo& info = kInfo)
      : executor_(
            info, [](auto) { return 'x'; },
            [this](std::span<const SequenceChunk> chunks) -> Status {
              ++steps_;
              for (const SequenceChunk& chunk : chunks)
                computed_ += static_cast<int64_t>(chunk.ids.size());
              return {};
            }),
        scheduler_(executor_, byte_tokenizer(), fixed(options), 1) {}

  Client& add(Request request) {
    Client& client = clients_.emplace_back();
    const RequestId id = ++last_id_;
    scheduler_.add(id, std::move(request), [this, &client, id](const Output& output) {
      if (client.pieces == 0) order_.push_back(id);
      client.take(output);
    });
    return client;
  }
  void run(int most_steps = 1000) {
    for (int step = 0; step < most_steps && !scheduler_.idle(); ++step) {
      scheduler_.step();
      scheduler_.check_invariants();
    }
  }
  Client& run_one(Request request) {
    Client& client = add(std::move(request));
    run();
    return client;
  }

  Scheduler& scheduler() { return scheduler_; }
  const std::vector<RequestId>& order() const { return order_; }
  int64_t take_computed() { return std::exchange(computed_, 0); }
  int steps() const { return steps_; }

 private:
  static EngineOptions fixed(EngineOptions options) {
    options.max_step_stretch = 0;
    return options;
  }

  int steps_ = 0;
  int64_t computed_ = 0;
  FakeExecutor executor_;
  Scheduler scheduler_;
  std::deque<Client> clients_;
  std::vector<RequestId> order_;
  RequestId last_id_ = 0;
};

std::vector<int32_t> tokens(int32_t count, int32_t first = 0) {
  std::vector<int32_t> ids;
  for (int32_t id = first; id < first + count; ++id)
    ids.push_back(id % 100);
  return ids;
}
std::vector<int32_t> joined(std::vector<int32_t> ids, const std::vector<int32_t>& more) {
  ids.insert(ids.end(), more.begin(), more.end());
  return ids;
}

TEST(SchedulerCache, AKnownBeginningIsNotComputedAgain) {
  Bench bench;
  EXPECT_EQ(bench.run_one(greedy(tokens(20), 3)).cached_tokens, 0);
  EXPECT_EQ(bench.take_computed(), 22);
  EXPECT_EQ(bench.run_one(greedy(tokens(20), 3)).cached_tokens, 16) << "the last token is always computed";
  EXPECT_EQ(bench.take_computed(), 6);
  EXPECT_EQ(bench.run_one(greedy(tokens(15), 3)).cached_tokens, 12) << "whole pages";
  EXPECT_EQ(bench.run_one(greedy(joined(tokens(10), {99, 98, 97}), 3)).cached_tokens, 8);
  const EngineStats stats = bench.scheduler().stats();
  EXPECT_EQ(stats.prompt_tokens, 20 + 20 + 15 + 13);
  EXPECT_EQ(stats.cached_tokens, 16 + 12 + 8);
  EXPECT_EQ(stats.used_tokens, 0);
  EXPECT_GE(stats.kept_tokens, 20) << "the first request's whole pages at least";
  bench.scheduler().flush_cache();
  EXPECT_EQ(bench.scheduler().stats().kept_tokens, 0);
}

TEST(SchedulerCache, AnswersAreKnownToo) {
  Bench bench;
  const Client& first = bench.run_one(greedy(tokens(6), 10));
  const auto next_turn = joined(joined(tokens(6), first.ids), tokens(5, 50));
  EXPECT_EQ(bench.run_one(greedy(next_turn, 1)).cached_tokens, 12)
      << "of 15: the last token drawn never went in";
}

TEST(SchedulerCache, CancelledWorkIsKept) {
  Bench bench({.chunked_prefill_size = 10});
  bench.add(greedy(tokens(40), 3));
  bench.run(2);
  bench.scheduler().abort(1, cancelled("gone"));
  EXPECT_EQ(bench.run_one(greedy(tokens(40), 3)).cached_tokens, 20);
}

TEST(SchedulerCache, WithoutItNothingIsKnown) {
  Bench bench({.share_prefixes = false});
  bench.run_one(greedy(tokens(20), 3));
  EXPECT_EQ(bench.run_one(greedy(tokens(20), 3)).cached_tokens, 0);
}

TEST(SchedulerCache, FlushForgets) {
  Bench bench;
  bench.run_one(greedy(tokens(20), 3));
  bench.scheduler().flush_cache();
  bench.scheduler().check_invariants();
  EXPECT_EQ(bench.run_one(greedy(tokens(20), 3)).cached_tokens, 0);
}

TEST(SchedulerCache, SamplesOfOnePromptWaitForItAndShareIt) {
  Bench bench({.chunked_prefill_size = 10});
  std::vector<Client*> samples;
  for (int sample = 0; sample < 4; ++sample)
    samples.push_back(&bench.add(greedy(tokens(33), 2)));
  bench.run();
  EXPECT_EQ(samples[0]->cached_tokens, 0);
  for (int sample = 1; sample < 4; ++sample)
    EXPECT_EQ(samples[static_cast<size_t>(sample)]->cached_tokens, 32);
  EXPECT_EQ(bench.take_computed(), 34 + 3 * 2);
  EXPECT_THAT(bench.order(), ElementsAre(1, 2, 3, 4));
}

TEST(SchedulerCache, OldPrefixesMakeRoom) {
  ExecutorInfo info = kInfo;
  info.page_count = 12;
  Bench bench({}, info);
  bench.run_one(greedy(tokens(20), 1));      // 5 pages
  bench.run_one(greedy(tokens(20, 40), 1));  // 5 more
  bench.run_one(greedy(tokens(20), 1));      // the first is younger now
  bench.run_one(greedy(tokens(20, 80), 1));  // must take 4 of the second's
  EXPECT_EQ(bench.run_one(greedy(tokens(20), 1)).cached_tokens, 16);
  EXPECT_EQ(bench.run_one(greedy(tokens(20, 40), 1)).cached_tokens, 4);
}

TEST(SchedulerCache, LogprobsOfThePromptAreComputedNotCached) {
  Bench bench;
  Request request = greedy(tokens(20), 2);
  bench.run_one(request);
  request.logprobs.emplace();
  request.prompt_logprobs_from = 10;
  std::vector<Output> outputs;
  bench.scheduler().add(100, request, [&](const Output& output) { outputs.push_back(output); });
  bench.run();
  ASSERT_EQ(outputs.size(), 2U);
  EXPECT_EQ(outputs[0].cached_tokens, 8) << "the row before token 10 is needed";
  ASSERT_EQ(outputs[0].prompt_logprobs.size(), 10U);
  EXPECT_EQ(outputs[0].prompt_logprobs[0].token.token, 10);
  EXPECT_EQ(outputs[0].prompt_logprobs[9].token.token, 19);
  EXPECT_TRUE(outputs[1].prompt_logprobs.empty());
  EXPECT_EQ(outputs[1].logprobs.size(), 1U);
  EXPECT_EQ(outputs[1].logprobs[0].token.token, 'x');
}

TEST(SchedulerCache, LogprobsOfThePromptWithoutAnAnswer) {
  Bench bench;
  for (const int32_t from : {0, 1, 7}) {
    Request request = greedy(tokens(8), 0);
    request.logprobs.emplace();
    request.prompt_logprobs_from = from;
    std::vector<Output> outputs;
    bench.scheduler().add(RequestId{100} + static_cast<RequestId>(from), request,
                          [&](const Output& output) { outputs.push_back(output); });
    bench.run();
    ASSERT_EQ(outputs.size(), 1U);
    EXPECT_EQ(outputs[0].prompt_logprobs.size(), static_cast<size_t>(8 - std::max(1, from)));
  }
}

/// Four prompts wait behind a running one; two of them continue what is in the cache.
std::vector<RequestId> order_under(SchedulePolicy policy) {
  Bench bench({.max_running_requests = 1, .schedule_policy = policy});
  bench.run_one(greedy(tokens(24), 1));
  bench.add(greedy({1}, 2));
  bench.run(1);
  bench.add(greedy(tokens(10, 70), 1));              // 3: nothing in the cache
  bench.add(greedy(joined(tokens(8), {1, 1}), 1));   // 4: 2 pages
  bench.add(greedy(joined(tokens(16), {1, 1}), 1));  // 5: 4 pages
  bench.add(greedy(tokens(11, 70), 1));              // 6: nothing, yet
  bench.run();
  return {bench.order().begin() + 2, bench.order().end()};
}

TEST(SchedulerCache, PoliciesOrderTheQueue) {
  EXPECT_THAT(order_under(SchedulePolicy::kFcfs), ElementsAre(3, 4, 5, 6));
  EXPECT_THAT(order_under(SchedulePolicy::kLpm), ElementsAre(5, 4, 3, 6));
  EXPECT_THAT(order_under(SchedulePolicy::kDfsWeight), ElementsAre(4, 5, 3, 6));
  EXPECT_THAT(order_under(SchedulePolicy::kRandom), testing::UnorderedElementsAre(3, 4, 5, 6));
  EXPECT_FALSE(parse_schedule_policy("lof"));
  EXPECT_EQ(*parse_schedule_policy("dfs-weight"), SchedulePolicy::kDfsWeight);
}

TEST(SchedulerCache, DepthFirstGoesWhereMostWait) {
  Bench bench({.max_running_requests = 1, .schedule_policy = SchedulePolicy::kDfsWeight});
  bench.run_one(greedy(tokens(9), 1));
  bench.run_one(greedy(tokens(9, 50), 1));
  bench.add(greedy({1}, 2));
  bench.run(1);
  bench.add(greedy(joined(tokens(8), {1}), 1));      // 4
  bench.add(greedy(joined(tokens(8, 50), {1}), 1));  // 5
  bench.add(greedy(joined(tokens(8, 50), {2}), 1));  // 6
  bench.add(greedy(joined(tokens(8, 50), {3}), 1));  // 7
  bench.run();
  EXPECT_THAT(bench.order(), ElementsAre(1, 2, 3, 5, 6, 4, 7))
      << "4 is the oldest when one waits on each side";
}

TEST(SchedulerCache, NobodyIsOvertakenForEver) {
  Bench bench({.max_running_requests = 1, .schedule_policy = SchedulePolicy::kLpm});
  bench.run_one(greedy(tokens(20), 1));
  const Client& unlucky = bench.add(greedy(tokens(20, 60), 1));
  for (int step = 0; step < 200 && !unlucky.finish; ++step) {
    bench.add(greedy(tokens(20), 1));
    bench.run(1);
  }
  EXPECT_TRUE(unlucky.finish.has_value());
  EXPECT_EQ(bench.order().size(), 2U + WaitingQueue::kMaxOvertaken);
}

TEST(SchedulerCache, FullReservationNeverInterrupts) {
  ExecutorInfo info = kInfo;
  info.page_count = 10;
  Bench bench({}, info);
  for (int request = 0; request < 5; ++request)
    bench.add(greedy(tokens(4, 10 * request), 20));
  bench.run();
  EXPECT_EQ(bench.scheduler().stats().retractions, 0);
}

TEST(SchedulerCache, LessReservationInterruptsTheYoungestAndChangesNothing) {
  ExecutorInfo info = kInfo;
  info.page_count = 10;
  Bench bench({.schedule_conservativeness = 0.2}, info);
  std::vector<Client*> clients;
  for (int request = 0; request < 3; ++request)
    clients.push_back(&bench.add(greedy(tokens(4, 10 * request), 30)));
  bench.run();
  for (const Client* client : clients) {
    EXPECT_EQ(client->text, std::string(30, 'x'));
    EXPECT_TRUE(client->at_length());
  }
  EXPECT_EQ(clients[0]->retractions, 0) << "the oldest goes on";
  EXPECT_GT(clients[2]->retractions, 0);
  EXPECT_GT(bench.scheduler().stats().retractions, 0);
}

TEST(SchedulerCache, DraftsSaveSteps) {
  Bench plain({.chunked_prefill_size = 8});
  Bench guessing({.chunked_prefill_size = 8, .ngram = {.draft_tokens = 4}});
  EXPECT_EQ(plain.run_one(greedy(tokens(8), 41)).text, std::string(41, 'x'));
  EXPECT_EQ(guessing.run_one(greedy(tokens(8), 41)).text, std::string(41, 'x'));
  EXPECT_EQ(plain.steps(), 41);
  EXPECT_EQ(guessing.steps(), 10) << "two without a match, then five tokens each";
  EXPECT_GT(guessing.scheduler().stats().accept_length(), 4.5);
  EXPECT_EQ(plain.scheduler().stats().accept_length(), 0);
}

}  // namespace
}  // namespace tessera::engine
