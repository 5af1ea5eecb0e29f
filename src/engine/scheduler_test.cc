#include "engine/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <deque>

#include "engine/engine_test_support.h"

namespace tessera::engine {
namespace {

using testing::ElementsAre;

const ExecutorInfo kInfo{.vocab_size = kByteVocab, .max_context = 200, .page_size = 4, .page_count = 50};

/// A scheduler on a fake, stepped by hand, with a record of what each step computed.
class Bench {
 public:
  explicit Bench(FakeExecutor::Script script, const ExecutorInfo& info = kInfo,
                 EngineOptions options = small())
      : executor_(info, std::move(script),
                  [this](std::span<const SequenceChunk> chunks) { return record(chunks); }),
        scheduler_(executor_, byte_tokenizer(), options, 1) {}

  /// Steps do not depend on times.
  static EngineOptions small() {
    return {.chunked_prefill_size = 4, .max_step_stretch = 0, .eos_token_ids = {kEos}};
  }

  Client& add(Request request) {
    clients_.emplace_back();
    scheduler_.add(++last_id_, std::move(request), clients_.back().callback());
    return clients_.back();
  }
  void run(int most_steps = 1000) {
    for (int step = 0; step < most_steps && !scheduler_.idle(); ++step)
      scheduler_.step();
    scheduler_.check_invariants();
  }
  Client run_one(Request request) {
    Client& client = add(std::move(request));
    run();
    EXPECT_EQ(scheduler_.stats().used_tokens, 0);
    return client;
  }

  Scheduler& scheduler() { return scheduler_; }
  /// Tokens per chunk, of every step.
  const std::vector<std::vector<int>>& steps() const { return steps_; }
  Status next_step = {};  // what the next step answers

 private:
  Status record(std::span<const SequenceChunk> chunks) {
    steps_.emplace_back();
    for (const SequenceChunk& chunk : chunks)
      steps_.back().push_back(static_cast<int>(chunk.ids.size()));
    return std::exchange(next_step, {});
  }

  std::vector<std::vector<int>> steps_;
  FakeExecutor executor_;
  Scheduler scheduler_;
  std::deque<Client> clients_;
  RequestId last_id_ = 0;
};

TEST(Scheduler, GivesTheScriptedAnswer) {
  Bench bench(says(2, bytes_of("hello")));
  const Client client = bench.run_one(greedy({1, 2}, 10));
  EXPECT_EQ(client.text, "hello");
  EXPECT_EQ(client.ids, (std::vector<int32_t>{'h', 'e', 'l', 'l', 'o', kEos}));
  EXPECT_EQ(client.prompt_tokens, 2);
  EXPECT_TRUE(client.stopped());
  EXPECT_EQ(client.matched(), "token 256");
  EXPECT_EQ(client.pieces, 6);
}

TEST(Scheduler, StopsAtTheLength) {
  Bench bench(says(2, bytes_of("hello")));
  const Client client = bench.run_one(greedy({1, 2}, 3));
  EXPECT_EQ(client.text, "hel");
  EXPECT_TRUE(client.at_length());
}

TEST(Scheduler, AnEosOnTheLastPlaceIsAStop) {
  Bench bench(says(2, bytes_of("hello")));
  EXPECT_TRUE(bench.run_one(greedy({1, 2}, 6)).stopped());
  EXPECT_TRUE(bench.run_one(greedy({1, 2}, 5)).at_length());
}

TEST(Scheduler, NoNewTokensOnlyFillsTheCache) {
  Bench bench(says(9, {}));
  const Client client = bench.run_one(greedy(std::vector<int32_t>(9, 7), 0));
  EXPECT_TRUE(client.at_length());
  EXPECT_EQ(client.pieces, 1);
  EXPECT_TRUE(client.ids.empty());
  EXPECT_THAT(bench.steps(), ElementsAre(ElementsAre(4), ElementsAre(4), ElementsAre(1)));
}

TEST(Scheduler, TheWholeContextAndTheWholeCacheCanBeUsed) {
  Bench bench(says(100, bytes_of(std::string(100, 'a'))));
  const Client client = bench.run_one(greedy(std::vector<int32_t>(100, 7), 100));
  EXPECT_EQ(client.text, std::string(100, 'a'));
  EXPECT_TRUE(client.at_length());
}

TEST(Scheduler, PrefillComesInChunksAndDecodesRideAlong) {
  Bench bench([](auto) { return 'x'; });
  bench.add(greedy({1, 2, 3}, 4));
  bench.add(greedy(std::vector<int32_t>(6, 1), 2));
  bench.run();
  EXPECT_THAT(bench.steps(),
              ElementsAre(ElementsAre(3, 1), ElementsAre(1, 4), ElementsAre(1, 1), ElementsAre(1, 1)));
}

TEST(Scheduler, IgnoreEosKeepsGoing) {
  Bench bench(says(1, {'a', kEos, 'b', kEos}));
  Request request = greedy({1}, 4);
  request.ignore_eos = true;
  const Client client = bench.run_one(request);
  EXPECT_EQ(client.text, "ab");
  EXPECT_EQ(client.ids, (std::vector<int32_t>{'a', kEos, 'b', kEos}));
  EXPECT_TRUE(client.at_length());

  request.skip_special_tokens = false;
  EXPECT_EQ(bench.run_one(request).text, "a<eos>b<eos>");
}

TEST(Scheduler, StopTokensStopAlsoWhenEosIsIgnored) {
  Bench bench(says(1, {'a', kEos, 'b', 'c', 'd'}));
  Request request = greedy({1}, 10);
  request.ignore_eos = true;
  request.stop_token_ids = {'x', 'c'};
  const Client client = bench.run_one(request);
  EXPECT_EQ(client.text, "ab");
  EXPECT_EQ(client.ids.back(), 'c');
  EXPECT_EQ(client.matched(), "token 99");

  request.keep_stop = true;
  EXPECT_EQ(bench.run_one(request).text, "abc");
}

TEST(Scheduler, StopStringsOverTokenBorders) {
  Bench bench(says(1, bytes_of("one two three")));
  Request request = greedy({1}, 50);
  request.stop = {"zero", "", "wo th"};
  const Client client = bench.run_one(request);
  EXPECT_EQ(client.text, "one t");
  EXPECT_TRUE(client.stopped());
  EXPECT_EQ(client.matched(), "wo th");
  EXPECT_EQ(client.ids.back(), 'h') << "the answer ends with the token that completed the stop string";

  request.keep_stop = true;
  EXPECT_EQ(bench.run_one(request).text, "one two th");
}

TEST(Scheduler, StopExpressionsOverTokenBorders) {
  Bench bench(says(1, bytes_of("page 12 of 40")));
  Request request = greedy({1}, 50);
  request.stop = {"of"};
  request.stop_regex = {"\\d+ o"};
  const Client client = bench.run_one(request);
  EXPECT_EQ(client.text, "page ");
  EXPECT_EQ(client.matched(), "\\d+ o");
  request.keep_stop = true;
  EXPECT_EQ(bench.run_one(request).text, "page 12 o");
}

TEST(Scheduler, AHalfStopStringIsReleasedAtTheEnd) {
  Bench bench(says(1, bytes_of("stop sto")));
  Request request = greedy({1}, 50);
  request.stop = {"stopped"};
  EXPECT_EQ(bench.run_one(request).text, "stop sto");
  request.max_new_tokens = 3;
  const Client client = bench.run_one(request);
  EXPECT_EQ(client.text, "sto");
  EXPECT_TRUE(client.at_length());
}

TEST(Scheduler, AStopStringThatIsASpecialTokenStopsThoughItsTextIsSkipped) {
  Bench bench(says(1, {'a', 'b', kEnd, 'c'}));
  Request request = greedy({1}, 50);
  request.stop = {"<end>"};
  for (const bool skip : {true, false}) {
    request.skip_special_tokens = skip;
    const Client client = bench.run_one(request);
    EXPECT_EQ(client.text, "ab");
    EXPECT_EQ(client.matched(), "<end>");
  }
}

TEST(Scheduler, CharactersStayWhole) {
  Bench bench(says(1, bytes_of("a\xF0\x9F\x98\x80z")));
  std::vector<std::string> pieces;
  bench.scheduler().add(1, greedy({1}, 50), [&](const Output& output) { pieces.push_back(output.text); });
  bench.run();
  EXPECT_THAT(pieces, ElementsAre("a", "", "", "", "\xF0\x9F\x98\x80", "z", ""));
}

TEST(Scheduler, TheOldestIsNotOvertakenBySmallerOnes) {
  ExecutorInfo info = kInfo;
  info.page_count = 10;
  Bench bench([](auto) { return 'x'; }, info);
  Client& first = bench.add(greedy({1, 2}, 22));  // 6 pages
  Client& large = bench.add(greedy({1, 2}, 30));  // 8 pages: must wait for the first
  Client& small = bench.add(greedy({1, 2}, 1));   // would fit at once
  bench.run(5);
  EXPECT_EQ(first.pieces, 5);
  EXPECT_EQ(large.pieces + small.pieces, 0);
  EXPECT_EQ(bench.scheduler().stats().queued, 2);
  EXPECT_EQ(bench.scheduler().stats().used_tokens, 8) << "what is promised and not needed yet is not used";
  bench.run();
  EXPECT_TRUE(first.at_length() && large.at_length() && small.at_length());
}

TEST(Scheduler, NeverMoreRunThanAllowed) {
  EngineOptions options = Bench::small();
  options.max_running_requests = 2;
  Bench bench([](auto) { return 'x'; }, kInfo, options);
  for (int request = 0; request < 5; ++request)
    bench.add(greedy({1}, 3));
  bench.run();
  for (const auto& step : bench.steps())
    EXPECT_LE(step.size(), 2U);
}

TEST(Scheduler, CancelWhereverItStands) {
  EngineOptions options = Bench::small();
  options.max_running_requests = 2;
  Bench bench([](auto) { return 'x'; }, kInfo, options);
  Client& decoding = bench.add(greedy({1}, 50));
  Client& prefilling = bench.add(greedy(std::vector<int32_t>(40, 1), 50));
  Client& queued = bench.add(greedy({1}, 50));
  Client& other = bench.add(greedy({1}, 3));
  bench.run(3);
  for (const RequestId id : {1, 2, 3})
    bench.scheduler().abort(id, cancelled("gone"));
  bench.scheduler().abort(99, cancelled("nobody"));
  bench.scheduler().check_invariants();
  EXPECT_EQ(decoding.text, "xxx");
  for (const Client* client : {&decoding, &prefilling, &queued})
    EXPECT_TRUE(client->aborted(ErrorCode::kCancelled));
  bench.run();
  EXPECT_EQ(other.text, "xxx");
  bench.scheduler().abort(4, cancelled("too late"));
  EXPECT_TRUE(other.at_length());
}

TEST(Scheduler, AFailedStepEndsItsRequestsAndNoOthers) {
  EngineOptions options = Bench::small();
  options.max_running_requests = 2;
  Bench bench([](auto) { return 'x'; }, kInfo, options);
  Client& first = bench.add(greedy({1}, 5));
  Client& second = bench.add(greedy({1}, 5));
  Client& third = bench.add(greedy({1}, 5));
  bench.run(2);
  bench.next_step = internal_error("the model broke");
  bench.run();
  EXPECT_TRUE(first.aborted(ErrorCode::kInternal));
  EXPECT_EQ(second.matched(), "the model broke");
  EXPECT_EQ(second.text, "xx");
  EXPECT_EQ(third.text, "xxxxx");
  EXPECT_EQ(bench.scheduler().stats().used_tokens, 0);
}

/// Spoils the logits of every history that begins with token 66.
class SpoiledExecutor : public FakeExecutor {
 public:
  using FakeExecutor::FakeExecutor;
  Status step(std::span<const SequenceChunk> chunks, std::span<float> logits,
              std::span<float> hidden) override {
    TRY_STATUS(FakeExecutor::step(chunks, logits, hidden));
    size_t row = 0;
    for (const SequenceChunk& chunk : chunks) {
      if (chunk.rows() == 0) continue;
      if (chunk.start == 0 && chunk.ids[0] == 66) logits[row * kByteVocab + 5] = NAN;
      ++row;
    }
    return {};
  }
};

TEST(Scheduler, ARowOfNanEndsItsRequestAndNoOther) {
  SpoiledExecutor executor(kInfo, [](auto) { return 'x'; });
  Scheduler scheduler(executor, byte_tokenizer(), Bench::small(), 1);
  Client good, bad, late;
  scheduler.add(1, greedy({1}, 3), good.callback());
  scheduler.add(2, greedy({66}, 3), bad.callback());
  scheduler.add(3, greedy({1}, 3), late.callback());
  while (!scheduler.idle())
    scheduler.step();
  EXPECT_EQ(good.text, "xxx");
  EXPECT_EQ(late.text, "xxx");
  EXPECT_TRUE(bad.aborted(ErrorCode::kInternal));
  EXPECT_THAT(bad.matched(), testing::HasSubstr("logit of token 5 is nan"));
}

TEST(Scheduler, ASeedGivesTheSameTokensInAnyCompany) {
  Request request{.prompt_ids = {5, 6}, .max_new_tokens = 30, .sampling = {.temperature = 1.5F, .seed = 9}};
  request.ignore_eos = true;
  Bench alone({});
  const Client expected = alone.run_one(request);
  Bench busy({});
  busy.add(greedy({5, 6, 7, 8, 9, 10}, 12));
  busy.run(2);
  Client& client = busy.add(request);
  Request neighbour = request;
  neighbour.sampling.seed = 10;
  Client& other = busy.add(neighbour);
  busy.run();
  EXPECT_EQ(client.ids, expected.ids);
  EXPECT_NE(client.ids, other.ids);
}

TEST(Scheduler, RequestsWithoutSeedDiffer) {
  Bench bench({});
  Request request{.prompt_ids = {5, 6}, .max_new_tokens = 30, .sampling = {.temperature = 1.5F}};
  request.ignore_eos = true;
  Client& one = bench.add(request);
  Client& two = bench.add(request);
  bench.run();
  EXPECT_NE(one.ids, two.ids);
}

TEST(Scheduler, StatsCountTokensAndTime) {
  Bench bench([](auto) { return 'x'; });
  EXPECT_EQ(bench.scheduler().stats().total_tokens, 200);
  bench.run_one(greedy(std::vector<int32_t>(20, 1), 20));
  EXPECT_GT(bench.scheduler().stats().last_prefill_tokens_per_s, 0);
  EXPECT_GT(bench.scheduler().stats().last_decode_tokens_per_s, 0);
  EXPECT_EQ(bench.scheduler().stats().running, 0);
}

}  // namespace
}  // namespace tessera::engine
