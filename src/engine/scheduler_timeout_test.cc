// Who waits too long for a first step: on a clock that the test turns.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "engine/engine.h"
#include "engine/engine_test_support.h"
#include "engine/scheduler.h"

namespace tessera::engine {
namespace {

/// One request runs at a time; a step lasts a second.
class Bench {
 public:
  explicit Bench(EngineOptions options = {.max_running_requests = 1}, int32_t pages = 50)
      : executor_(
            {.vocab_size = kByteVocab, .max_context = 200, .page_size = 4, .page_count = pages},
            [](auto) { return 'x'; },
            [this](auto) -> Status {
              now_ += 1;
              return {};
            }),
        scheduler_(executor_, byte_tokenizer(), with_timeout(options), 1, [this] { return now_; }) {}

  Client& add(Request request) {
    scheduler_.add(++last_id_, std::move(request), clients_.emplace_back().callback());
    return clients_.back();
  }
  void run(int most_steps = 1000) {
    for (int step = 0; step < most_steps && !scheduler_.idle(); ++step) {
      scheduler_.step();
      scheduler_.check_invariants();
    }
  }
  void wait(double seconds) { now_ += seconds; }
  Scheduler& scheduler() { return scheduler_; }

 private:
  static EngineOptions with_timeout(EngineOptions options) {
    options.queue_timeout_s = 5;
    options.max_step_stretch = 0;
    return options;
  }
  double now_ = 100;
  FakeExecutor executor_;
  Scheduler scheduler_;
  std::deque<Client> clients_;
  RequestId last_id_ = 0;
};

TEST(QueueTimeout, WhoWaitsLongerIsToldSoAndLeavesNothing) {
  Bench bench;
  const Client& running = bench.add(greedy({1}, 20));
  const Client& late = bench.add(greedy({2}, 20));
  bench.run(3);
  const Client& later = bench.add(greedy({3}, 20));
  bench.run(2);
  EXPECT_FALSE(late.finish) << "five seconds are not longer than five seconds";
  bench.run(1);
  EXPECT_FALSE(late.finish);
  bench.run(1);
  ASSERT_TRUE(late.aborted(ErrorCode::kUnavailable));
  EXPECT_EQ(late.matched(), "the request waited for more than 5 s, as long as it may, try again");
  EXPECT_EQ(bench.scheduler().stats().queue_timeouts, 1);
  EXPECT_EQ(bench.scheduler().stats().queued, 1);
  EXPECT_FALSE(later.finish) << "it came three seconds later";
  bench.run();
  EXPECT_EQ(running.text, std::string(20, 'x')) << "a running one has all the time it needs";
  EXPECT_TRUE(later.aborted(ErrorCode::kUnavailable));
  const EngineStats stats = bench.scheduler().stats();
  EXPECT_EQ(stats.queue_timeouts, 2);
  EXPECT_EQ(stats.queued + stats.queued_tokens + stats.used_tokens, 0);
}

TEST(QueueTimeout, TheTurnThatFindsOnlyLateOnesMakesNoStep) {
  Bench bench;
  const Client& late = bench.add(greedy({1}, 3));
  bench.wait(6);
  bench.run(1);
  EXPECT_TRUE(late.aborted(ErrorCode::kUnavailable));
  EXPECT_EQ(bench.scheduler().stats().steps, 0);
  EXPECT_TRUE(bench.scheduler().idle());
}

TEST(QueueTimeout, WhoHadAFirstStepAndWasRetractedGoesOn) {
  Bench bench({.max_running_requests = 2, .schedule_conservativeness = 0}, 12);
  const Client& first = bench.add(greedy({1, 2, 3, 4}, 40));
  const Client& second = bench.add(greedy({5, 6, 7, 8}, 40));
  bench.run();
  EXPECT_GT(second.retractions, 0);
  for (const Client* client : {&first, &second})
    EXPECT_EQ(client->text, std::string(40, 'x'));
  EXPECT_EQ(bench.scheduler().stats().queue_timeouts, 0);
}

TEST(QueueTimeout, ANegativeOneIsRefused) {
  for (const double wrong : {-1.0, std::numeric_limits<double>::quiet_NaN()}) {
    const ExecutorInfo info{.vocab_size = kByteVocab, .max_context = 8, .page_size = 4, .page_count = 2};
    const auto engine =
        Engine::start(std::make_unique<FakeExecutor>(info), byte_tokenizer(), {.queue_timeout_s = wrong});
    ASSERT_FALSE(engine);
    EXPECT_THAT(engine.error().message(), testing::StartsWith("queue_timeout_s="));
  }
}

}  // namespace
}  // namespace tessera::engine
