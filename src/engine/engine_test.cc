// The thread around the scheduler: nothing here waits for a time, only for events.
#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <future>
#include <latch>
#include <memory>
#include <stdexcept>
#include <thread>

#include "engine/engine_test_support.h"

namespace tessera::engine {
namespace {

const ExecutorInfo kInfo{.vocab_size = kByteVocab, .max_context = 200, .page_size = 4, .page_count = 60};

/// A client that can be waited for from the test's thread.
struct RemoteClient {
  Client client = {};
  std::promise<void> done = {};

  OutputCallback callback() {
    return [this](const Output& output) {
      client.take(output);
      if (output.finish) done.set_value();
    };
  }
  const Client& wait() {
    done.get_future().wait();
    return client;
  }
};

/// Holds the engine thread in its first step until the test opens it.
struct Gate {
  std::promise<void> reached = {}, opened = {};
  std::atomic<bool> passed{false};

  FakeExecutor::Hook hook() {
    return [this](auto) -> Status {
      if (!passed.exchange(true)) {
        reached.set_value();
        opened.get_future().wait();
      }
      return {};
    };
  }
};

std::unique_ptr<Engine> make_engine(FakeExecutor::Script script, FakeExecutor::Hook hook = {},
                                    EngineOptions options = {}) {
  options.eos_token_ids = {kEos};
  auto engine = Engine::start(std::make_unique<FakeExecutor>(kInfo, std::move(script), std::move(hook)),
                              byte_tokenizer(), options);
  EXPECT_TRUE(engine);
  return std::move(*engine);
}

FakeExecutor::Script always_x() {
  return [](auto) { return 'x'; };
}

std::string refusal(Engine& engine, Request request, ErrorCode code) {
  auto result = engine.submit(std::move(request),
                              [](const Output&) { ADD_FAILURE() << "a refused request is answered"; });
  if (result) return "(accepted)";
  EXPECT_EQ(result.error().code(), code);
  return result.error().message();
}

TEST(Engine, AnswersARequest) {
  auto engine = make_engine(says(2, bytes_of("hello")));
  RemoteClient remote;
  ASSERT_TRUE(engine->submit(greedy({1, 2}, 20), remote.callback()));
  EXPECT_EQ(remote.wait().text, "hello");
  EXPECT_EQ(engine->info().max_context, 200);
}

TEST(Engine, SleepsAndWakesAgain) {
  auto engine = make_engine(always_x());
  for (int request = 0; request < 50; ++request) {
    RemoteClient remote;
    ASSERT_TRUE(engine->submit(greedy({1}, 2), remote.callback()));
    EXPECT_EQ(remote.wait().text, "xx");
  }
}

TEST(Engine, RefusesWhatCanNeverRun) {
  auto engine = make_engine(always_x());
  const ErrorCode bad = ErrorCode::kInvalidArgument;
  EXPECT_EQ(refusal(*engine, greedy({}, 1), bad), "the prompt is empty, expected at least one token");
  EXPECT_EQ(refusal(*engine, greedy({1}, -1), bad), "max_new_tokens=-1 is negative, expected >= 0");
  EXPECT_EQ(refusal(*engine, greedy({1, 258}, 1), bad), "prompt token 1 is 258, expected an id in [0, 258)");
  EXPECT_EQ(refusal(*engine, greedy({-5}, 1), bad), "prompt token 0 is -5, expected an id in [0, 258)");
  EXPECT_EQ(refusal(*engine, greedy({1, 2, 3}, 198), bad),
            "the prompt's 3 tokens and max_new_tokens=198 make 201, expected at most the context length of "
            "200 tokens");
  EXPECT_EQ(refusal(*engine, greedy({1}, INT32_MAX), bad),
            "the prompt's 1 tokens and max_new_tokens=2147483647 make 2147483648, expected at most the "
            "context length of "
            "200 tokens");
  Request request = greedy({1}, 1);
  request.sampling.top_p = 7;
  EXPECT_EQ(refusal(*engine, request, bad), "top_p=7 is out of range, expected (0, 1]");
  request = greedy({1}, 1);
  request.stop.assign(65, "x");
  EXPECT_EQ(refusal(*engine, request, bad), "stop has 65 strings, expected at most 64");
  request.stop = {std::string(1025, 'x')};
  EXPECT_EQ(refusal(*engine, request, bad), "a stop string has 1025 bytes, expected at most 1024");
  request = greedy({1}, 1);
  request.stop_regex = {"a("};
  EXPECT_EQ(refusal(*engine, request, bad),
            "stop_regex: regular expression \"a(\": a ( without its ) at byte 2");
  request.stop_regex.assign(9, "a");
  EXPECT_EQ(refusal(*engine, request, bad), "stop_regex has 9 expressions, expected at most 8");
  request = greedy({1}, 1);
  request.sampling.logit_bias = {{300, 1.0F}};
  EXPECT_EQ(refusal(*engine, request, bad), "logit_bias has token 300, expected an id in [0, 258)");
  request.sampling = {.min_new_tokens = 2};
  EXPECT_EQ(refusal(*engine, request, bad), "min_new_tokens=2 is more than max_new_tokens=1");
  request = greedy({1}, 1);
  request.logprobs = {.top = 129};
  EXPECT_EQ(refusal(*engine, request, bad),
            "logprobs of the 129 most likely tokens are wanted, expected 0 to 128");
  request.logprobs = {.tokens = {-1}};
  EXPECT_EQ(refusal(*engine, request, bad), "logprobs of token -1 are wanted, expected an id in [0, 258)");
  request = greedy({1}, 1);
  request.stop_token_ids.assign(1025, 1);
  EXPECT_EQ(refusal(*engine, request, bad), "stop_token_ids has 1025 ids, expected at most 1024");
}

TEST(Engine, RefusesWhatTheCacheCanNeverHold) {
  ExecutorInfo info = kInfo;
  info.page_count = 5;
  auto engine = Engine::start(std::make_unique<FakeExecutor>(info, always_x()), byte_tokenizer(), {});
  ASSERT_TRUE(engine);
  EXPECT_EQ(refusal(**engine, greedy({1}, 20), ErrorCode::kInvalidArgument),
            "the prompt's 1 tokens and max_new_tokens=20 make 21, expected at most the 20 tokens that the KV "
            "cache holds");
}

TEST(Engine, RefusesBadOptions) {
  for (const EngineOptions& options :
       {EngineOptions{.max_running_requests = 0}, EngineOptions{.max_queued_requests = 0},
        EngineOptions{.chunked_prefill_size = -1}}) {
    auto engine = Engine::start(std::make_unique<FakeExecutor>(kInfo), byte_tokenizer(), options);
    ASSERT_FALSE(engine);
    EXPECT_THAT(engine.error().message(), testing::HasSubstr("is out of range, expected >= 1"));
  }
}

TEST(Engine, AFullQueueRefuses) {
  Gate gate;
  auto engine = make_engine(always_x(), gate.hook(), {.max_running_requests = 1, .max_queued_requests = 2});
  RemoteClient running, second, third;
  ASSERT_TRUE(engine->submit(greedy({1}, 2), running.callback()));
  gate.reached.get_future().wait();
  ASSERT_TRUE(engine->submit(greedy({1}, 2), second.callback()));
  // The first was taken from the queue, but a snapshot says so only after its step.
  EXPECT_EQ(refusal(*engine, greedy({1}, 2), ErrorCode::kResourceExhausted),
            "the queue is full: 2 requests wait, at most 2 may");
  EXPECT_EQ(engine->stats().queued, 2);
  gate.opened.set_value();
  running.wait();
  second.wait();
  ASSERT_TRUE(engine->submit(greedy({1}, 2), third.callback()));
  third.wait();
}

TEST(Engine, AQueueOfLongPromptsRefuses) {
  Gate gate;
  auto engine = make_engine(always_x(), gate.hook(), {.max_running_requests = 1, .max_queued_tokens = 10});
  RemoteClient running, third;
  const std::vector<int32_t> long_prompt(20, 1);
  ASSERT_TRUE(engine->submit(greedy(long_prompt, 2), running.callback())) << "nobody waits: any length may";
  gate.reached.get_future().wait();
  EXPECT_EQ(refusal(*engine, greedy({1}, 2), ErrorCode::kResourceExhausted),
            "the queue is full: prompts of 20 tokens wait, 1 more would exceed 10");
  EXPECT_EQ(engine->stats().queued_tokens, 20);
  gate.opened.set_value();
  running.wait();
  ASSERT_TRUE(engine->submit(greedy({1}, 2), third.callback()));
  third.wait();
  engine->drain(0);
  EXPECT_EQ(engine->stats().queued_tokens, 0);
}

TEST(Engine, FlushesItsCacheOnlyWhenIdle) {
  Gate gate;
  auto engine = make_engine(always_x(), gate.hook());
  EXPECT_TRUE(engine->flush_cache());
  RemoteClient client;
  ASSERT_TRUE(engine->submit(greedy({1}, 2), client.callback()));
  EXPECT_EQ(engine->flush_cache().error().code(), ErrorCode::kUnavailable);
  gate.opened.set_value();
  client.wait();
  engine->drain(0);
  EXPECT_TRUE(engine->flush_cache());
  EXPECT_EQ(engine->stats().generated_tokens, 2);
  EXPECT_GE(engine->stats().steps, 2);
  EXPECT_GT(engine->stats().step_seconds, 0);
}

TEST(Engine, CancelsAtAnyStage) {
  Gate gate;
  auto engine = make_engine(always_x(), gate.hook(), {.max_running_requests = 1});
  RemoteClient running, queued, other;
  const RequestId first = *engine->submit(greedy({1}, 150), running.callback());
  gate.reached.get_future().wait();
  const RequestId second = *engine->submit(greedy({1}, 150), queued.callback());
  ASSERT_TRUE(engine->submit(greedy({1}, 3), other.callback()));
  engine->cancel(first);
  engine->cancel(second);
  engine->cancel(second);
  engine->cancel(12345);
  gate.opened.set_value();
  EXPECT_TRUE(running.wait().aborted(ErrorCode::kCancelled));
  EXPECT_LE(running.client.ids.size(), 1U) << "more than one step passed";
  EXPECT_TRUE(queued.wait().aborted(ErrorCode::kCancelled));
  EXPECT_EQ(other.wait().text, "xxx");
}

TEST(Engine, DrainLetsRunningRequestsFinish) {
  auto engine = make_engine(always_x());
  RemoteClient one, two;
  ASSERT_TRUE(engine->submit(greedy({1}, 100), one.callback()));
  ASSERT_TRUE(engine->submit(greedy({1}, 50), two.callback()));
  engine->drain(1e9);
  EXPECT_TRUE(one.client.at_length() && two.client.at_length());
  EXPECT_EQ(engine->stats().used_tokens, 0);
  EXPECT_EQ(refusal(*engine, greedy({1}, 1), ErrorCode::kUnavailable),
            "the server is shutting down and takes no new requests");
  engine->drain(0);
}

TEST(Engine, DrainAbortsAtTheDeadline) {
  std::promise<void> begun;
  std::atomic<int> steps{0};
  // 190 steps of 1 ms for each of 30 requests, one at a time: far from done at the deadline.
  auto engine = make_engine(always_x(),
                            [&](auto) -> Status {
                              if (steps++ == 0) begun.set_value();
                              std::this_thread::sleep_for(std::chrono::milliseconds(1));
                              return {};
                            },
                            {.max_running_requests = 1});
  std::deque<RemoteClient> remotes(30);
  for (RemoteClient& remote : remotes)
    ASSERT_TRUE(engine->submit(greedy({1}, 190), remote.callback()));
  begun.get_future().wait();
  engine->drain(0.002);
  EXPECT_TRUE(remotes.back().client.aborted(ErrorCode::kUnavailable));
  EXPECT_EQ(engine->stats().used_tokens, 0);
  EXPECT_EQ(engine->stats().queued, 0);
}

TEST(Engine, DrainWithoutTimeStillWaitsForTheStepUnderWay) {
  Gate gate;
  auto engine = make_engine(always_x(), gate.hook());
  RemoteClient remote;
  ASSERT_TRUE(engine->submit(greedy({1}, 190), remote.callback()));
  gate.reached.get_future().wait();
  std::thread opener([&] { gate.opened.set_value(); });
  engine->drain(0);
  // Aborted, or done before the drain began: in any case answered when drain returns.
  EXPECT_TRUE(remote.client.finish);
  opener.join();
}

TEST(Engine, DestructionAnswersEverybody) {
  Gate gate;
  std::deque<RemoteClient> remotes(5);
  auto engine = make_engine(always_x(), gate.hook(), {.max_running_requests = 2});
  for (RemoteClient& remote : remotes)
    ASSERT_TRUE(engine->submit(greedy({1}, 190), remote.callback()));
  gate.reached.get_future().wait();
  std::thread opener([&] { gate.opened.set_value(); });
  engine.reset();
  opener.join();
  for (const RemoteClient& remote : remotes)
    EXPECT_TRUE(remote.client.finish);
}

TEST(Engine, SurvivesAnExceptionInAStep) {
  std::atomic<int> steps{0};
  auto engine = make_engine(always_x(), [&](auto) -> Status {
    if (steps++ == 1) throw std::bad_alloc();
    return {};
  });
  RemoteClient unlucky, next;
  ASSERT_TRUE(engine->submit(greedy({1}, 9), unlucky.callback()));
  EXPECT_TRUE(unlucky.wait().aborted(ErrorCode::kInternal));
  ASSERT_TRUE(engine->submit(greedy({1}, 9), next.callback()));
  EXPECT_EQ(next.wait().text, "xxxxxxxxx");
}

TEST(Engine, TheCallbackIsDestroyedWithTheLastOutput) {
  auto engine = make_engine(always_x());
  auto held = std::make_shared<std::promise<void>>();
  const std::weak_ptr<std::promise<void>> watch = held;
  ASSERT_TRUE(engine->submit(greedy({1}, 2), [held = std::move(held)](const Output&) {}));
  engine->drain(60);
  EXPECT_TRUE(watch.expired());
}

TEST(Engine, ManyThreadsSubmitAndCancel) {
  constexpr int kThreads = 4, kPerThread = 40;
  auto engine = make_engine({}, {}, {.max_running_requests = 5, .chunked_prefill_size = 7});
  std::deque<RemoteClient> remotes(kThreads * kPerThread);
  std::vector<Request> requests;
  for (int at = 0; at < kThreads * kPerThread; ++at) {
    requests.push_back(greedy(std::vector<int32_t>(1 + at % 23, at), at % 31));
    requests.back().ignore_eos = true;
  }
  std::latch go(kThreads);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      go.arrive_and_wait();
      for (int at = thread; at < kThreads * kPerThread; at += kThreads) {
        const auto id = engine->submit(requests[at], remotes[at].callback());
        EXPECT_TRUE(id);
        if (at % 5 == 0) engine->cancel(*id);
        (void)engine->stats();
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  engine->drain(60);
  const auto script = FakeExecutor::hashed(kByteVocab);
  for (size_t at = 0; at < remotes.size(); ++at) {
    const Client& client = remotes[at].client;
    auto expected = FakeExecutor::answer(script, requests[at].prompt_ids, requests[at].max_new_tokens);
    if (client.aborted(ErrorCode::kCancelled)) {
      EXPECT_EQ(at % 5, 0U);
      expected.resize(std::min(expected.size(), client.ids.size()));
    } else {
      EXPECT_TRUE(client.at_length()) << at;
    }
    EXPECT_EQ(client.ids, expected) << at;
  }
}

}  // namespace
}  // namespace tessera::engine
