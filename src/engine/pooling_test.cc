// Embeddings: which tokens are computed for them, and of what they are the mean.
#include "engine/pooling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <deque>

#include "engine/admission.h"
#include "engine/engine_test_support.h"
#include "engine/scheduler.h"

namespace tessera::engine {
namespace {

constexpr int32_t kHidden = 3;
const ExecutorInfo kInfo{
    .vocab_size = kByteVocab, .hidden_size = kHidden, .max_context = 200, .page_size = 4, .page_count = 50};
const std::vector<int32_t> kPrompt = {5, 6, 7, 8, 9, 10, 11, 12, 13, 14};

/// A scheduler on a fake, in chunks of 4 tokens.
class Bench {
 public:
  explicit Bench(EngineOptions options = {}, FakeExecutor::Hook hook = {})
      : executor_(kInfo, {}, std::move(hook)), scheduler_(executor_, byte_tokenizer(), fixed(options), 1) {}

  Client& add(Request request) {
    scheduler_.add(++last_id_, std::move(request), clients_.emplace_back().callback());
    return clients_.back();
  }
  void run(int most_steps = 1000) {
    for (int step = 0; step < most_steps && !scheduler_.idle(); ++step)
      scheduler_.step();
    scheduler_.check_invariants();
  }
  Client& run_one(Request request) {
    Client& client = add(std::move(request));
    run();
    return client;
  }
  Scheduler& scheduler() { return scheduler_; }

 private:
  static EngineOptions fixed(EngineOptions options) {
    options.chunked_prefill_size = 4;
    options.max_step_stretch = 0;
    return options;
  }
  FakeExecutor executor_;
  Scheduler scheduler_;
  std::deque<Client> clients_;
  RequestId last_id_ = 0;
};

/// The mean of the states of kPrompt's tokens from `first` on, as the executor makes them up.
std::vector<float> expected(size_t first) {
  PooledRows rows;
  for (size_t end = first + 1; end <= kPrompt.size(); ++end)
    EXPECT_TRUE(rows.add(FakeExecutor::hidden_state(std::span(kPrompt).first(end), kHidden), kHidden));
  return rows.mean();
}

TEST(Pooling, Names) {
  EXPECT_EQ(*parse_pooling("last"), Pooling::kLast);
  EXPECT_EQ(*parse_pooling("mean"), Pooling::kMean);
  EXPECT_EQ(parse_pooling("cls").error().message(), "pooling cls does not exist, expected last or mean");
}

TEST(Pooling, TheMeanOfRowsInAnyPieces) {
  const std::vector<float> rows = {1, 2, 0.1F, 4, 1e8F, -3, 1e-7F, 7};
  PooledRows whole, pieces;
  ASSERT_TRUE(whole.add(rows, 2));
  for (const auto& [from, count] : {std::pair{0, 2}, {2, 4}, {6, 2}})
    ASSERT_TRUE(
        pieces.add(std::span(rows).subspan(static_cast<size_t>(from), static_cast<size_t>(count)), 2));
  EXPECT_EQ(whole.mean(), pieces.mean());
  EXPECT_THAT(whole.mean(), testing::ElementsAre(static_cast<float>((1 + 0.1F + 1e8 + 1e-7F) / 4), 2.5F));
}

TEST(Pooling, WhatIsNotFiniteIsAnError) {
  for (const float value : {NAN, INFINITY, -INFINITY}) {
    PooledRows rows;
    ASSERT_TRUE(rows.add(std::vector<float>{1, 2}, 2));
    const Status status = rows.add(std::vector<float>{1, value}, 2);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code(), ErrorCode::kInternal);
    EXPECT_TRUE(status.error().message().starts_with("number 1 of the model's hidden states is"));
  }
}

TEST(Pooling, TheLastTokenOrAllOfThem) {
  Bench bench;
  const Client last = bench.run_one(embed(kPrompt, Pooling::kLast));
  EXPECT_EQ(last.embedding, FakeExecutor::hidden_state(kPrompt, kHidden));
  EXPECT_TRUE(last.at_length());
  EXPECT_EQ(last.pieces, 1);
  EXPECT_EQ(last.prompt_tokens, 10);
  EXPECT_TRUE(last.ids.empty());
  const Client mean = bench.run_one(embed(kPrompt, Pooling::kMean));
  EXPECT_EQ(mean.embedding, expected(0));
  EXPECT_EQ(bench.scheduler().stats().used_tokens, 0);
}

TEST(Pooling, TheLastTokenTakesAPrefixFromTheCacheAndAMeanLeavesOne) {
  Bench bench;
  EXPECT_EQ(bench.run_one(embed(kPrompt, Pooling::kMean)).cached_tokens, 0);
  EXPECT_EQ(bench.run_one(embed(kPrompt, Pooling::kMean)).cached_tokens, 0) << "it needs the states of all";
  const Client& last = bench.run_one(embed(kPrompt, Pooling::kLast));
  EXPECT_EQ(last.cached_tokens, 8);
  EXPECT_EQ(last.embedding, expected(9));
  EXPECT_EQ(bench.run_one(greedy(kPrompt, 3)).cached_tokens, 8) << "answers share it too";
}

TEST(Pooling, AmongAnswersAndOtherEmbeddings) {
  Bench bench({.max_running_requests = 3});
  const Client& answer = bench.add(greedy({1, 2, 3}, 12));
  bench.run(2);
  std::vector<const Client*> means, lasts;
  for (int round = 0; round < 4; ++round) {
    means.push_back(&bench.add(embed(kPrompt, Pooling::kMean)));
    lasts.push_back(&bench.add(embed(kPrompt, Pooling::kLast)));
  }
  bench.run();
  for (const Client* mean : means)
    EXPECT_EQ(mean->embedding, expected(0));
  for (const Client* last : lasts)
    EXPECT_EQ(last->embedding, expected(9));
  EXPECT_EQ(answer.ids, FakeExecutor::answer(FakeExecutor::hashed(kByteVocab), {1, 2, 3}, 12));
}

TEST(Pooling, ARetractedMeanBeginsAnew) {
  // 12 pages: an answer of 40 tokens takes what a half computed embedding has.
  ExecutorInfo info = kInfo;
  info.page_count = 12;
  FakeExecutor executor(info, [](auto) { return 'x'; });
  Scheduler scheduler(executor, byte_tokenizer(),
                      {.chunked_prefill_size = 1, .max_step_stretch = 0, .schedule_conservativeness = 0}, 1);
  Client answer, mean;
  std::vector<int32_t> prompt(36);
  std::ranges::generate(prompt, [token = 0]() mutable { return token++; });
  scheduler.add(1, greedy({1, 2, 3, 4, 5, 6, 7, 8}, 40), answer.callback());
  for (int step = 0; step < 8; ++step)
    scheduler.step();
  scheduler.add(2, embed(prompt, Pooling::kMean), mean.callback());
  while (!scheduler.idle())
    scheduler.step();
  EXPECT_EQ(mean.retractions, 1);
  EXPECT_EQ(answer.text, std::string(40, 'x'));
  FakeExecutor alone(info);
  Scheduler other(alone, byte_tokenizer(), {.chunked_prefill_size = 64}, 1);
  Client once;
  other.add(1, embed(prompt, Pooling::kMean), once.callback());
  other.step();
  EXPECT_EQ(mean.embedding, once.embedding);
}

TEST(Pooling, ACancelledOneFreesItsPages) {
  Bench bench;
  const Client& client = bench.add(embed(kPrompt, Pooling::kMean));
  bench.run(1);
  bench.scheduler().abort(1, cancelled("gone"));
  EXPECT_TRUE(client.aborted(ErrorCode::kCancelled));
  EXPECT_TRUE(client.embedding.empty());
  EXPECT_EQ(bench.scheduler().stats().used_tokens, 0);
}

/// Spoils the hidden states of chunks that begin with token 66.
class SpoiledExecutor : public FakeExecutor {
 public:
  using FakeExecutor::FakeExecutor;
  Status step(std::span<const SequenceChunk> chunks, std::span<float> logits,
              std::span<float> hidden) override {
    TRY_STATUS(FakeExecutor::step(chunks, logits, hidden));
    size_t row = 0;
    for (const SequenceChunk& chunk : chunks) {
      if (chunk.ids[0] == 66) hidden[row * kHidden + 2] = NAN;
      row += chunk.hidden_rows();
    }
    return {};
  }
};

TEST(Pooling, AStateOfNanEndsItsRequestAndNoOther) {
  SpoiledExecutor executor(kInfo);
  Scheduler scheduler(executor, byte_tokenizer(), {}, 1);
  Client good, bad, late;
  scheduler.add(1, embed(kPrompt, Pooling::kMean), good.callback());
  scheduler.add(2, embed({66, 1, 2}, Pooling::kMean), bad.callback());
  scheduler.add(3, embed(kPrompt, Pooling::kLast), late.callback());
  while (!scheduler.idle())
    scheduler.step();
  EXPECT_EQ(good.embedding, expected(0));
  EXPECT_EQ(late.embedding, expected(9));
  EXPECT_TRUE(bad.aborted(ErrorCode::kInternal));
  EXPECT_TRUE(bad.embedding.empty());
}

TEST(Pooling, ThereIsNoAnswerBesideIt) {
  Request request = embed(kPrompt, Pooling::kLast);
  EXPECT_TRUE(check_request(request, kInfo));
  request.max_new_tokens = 1;
  EXPECT_EQ(check_request(request, kInfo).error().message(),
            "an embedding is wanted and max_new_tokens=1, expected 0");
  request = embed(kPrompt, Pooling::kMean);
  request.logprobs.emplace();
  EXPECT_EQ(check_request(request, kInfo).error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace tessera::engine
