// The client against servers that answer well, badly, or not at all.
#include "bench/serving/load.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "bench/serving/serving.h"
#include "bench/serving/test_golden.h"
#include "bench/serving/test_server.h"

namespace tessera::bench::serving {
namespace {

using Writer = std::shared_ptr<http::ResponseWriter>;

Load load_of(const std::string& url, size_t count) {
  Load load{.url = url + "/generate"};
  load.requests.resize(count, {.body = "{}", .output_tokens = 3});
  return load;
}

std::vector<Outcome> run(const Load& load) {
  Client client({});
  size_t ended = 0;
  auto outcomes = run_load(client, load, [&] { ++ended; });
  EXPECT_EQ(ended, load.requests.size());
  return outcomes;
}

// The server answers nobody before all have asked: with one connection less they would wait for ever.
TEST(Load, AThousandStreamsAtOnce) {
  constexpr size_t kStreams = 1000;
  allow_sockets(2 * kStreams);  // both ends are in this process
  std::mutex mutex;
  std::vector<Writer> waiting;
  const auto server = start_test_server([&](const http::Request&, const Writer& writer) {
    const std::lock_guard lock(mutex);
    waiting.push_back(writer);
    if (waiting.size() < kStreams) return;
    for (const Writer& one : std::exchange(waiting, {}))
      answer_with_words(*one, 20);
  });
  for (const Outcome& outcome : run(load_of(url_of(*server), kStreams))) {
    ASSERT_TRUE(outcome.success) << outcome.error;
    EXPECT_EQ(outcome.output_tokens, 20);
    EXPECT_EQ(outcome.itls_s.size(), 19U);
    EXPECT_EQ(outcome.text.size(), 100U);
    EXPECT_LE(outcome.ttft_s, outcome.latency_s);
  }
}

TEST(Load, NoMoreAtOnceThanAllowed) {
  std::atomic<int> now = 0, most = 0;
  const auto server = start_test_server([&](const http::Request&, const Writer& writer) {
    most = std::max(most.load(), ++now);
    writer->call_later(std::chrono::milliseconds(3), [&, writer] {
      --now;
      answer_with_words(*writer, 2);
    });
  });
  Load load = load_of(url_of(*server), 30);
  load.max_concurrency = 4;
  const auto outcomes = run(load);
  for (const Outcome& outcome : outcomes)
    EXPECT_TRUE(outcome.success) << outcome.error;
  EXPECT_LE(most, 4);
  EXPECT_GE(most, 2);
}

TEST(Load, RequestsAreSentWhenDue) {
  const auto server =
      start_test_server([&](const http::Request&, const Writer& writer) { answer_with_words(*writer, 2); });
  Load load = load_of(url_of(*server), 5);
  for (size_t i = 0; i < load.requests.size(); ++i)
    load.requests[i].due_s = 0.02 * static_cast<double>(i);
  const auto outcomes = run(load);
  for (size_t i = 0; i < outcomes.size(); ++i)
    EXPECT_GE(outcomes[i].start_s, load.requests[i].due_s);
}

/// How a server fails, and what is said of it.
struct Failure {
  const char* error;
  void (*answer)(http::ResponseWriter&);
};
constexpr Failure kFailures[] = {
    {"status 500: \"broken\"",
     [](http::ResponseWriter& writer) { writer.send({.status = 500, .body = "broken", .headers = {}}); }},
    {"status 429: \"later\"",
     [](http::ResponseWriter& writer) { writer.send({.status = 429, .body = "later", .headers = {}}); }},
    {"",
     [](http::ResponseWriter& writer) {  // cut: begun and never finished
       writer.begin_stream(200, "text/event-stream");
       writer.write(generate_event(1));
     }},
    {"without [DONE]",
     [](http::ResponseWriter& writer) {
       writer.begin_stream(200, "text/event-stream");
       writer.write(generate_event(1));
       writer.finish();
     }},
    {"not a JSON object: \"nonsense\"", [](http::ResponseWriter& writer) {
       writer.begin_stream(200, "text/event-stream");
       writer.write("data: nonsense\n\n");
       writer.finish();
     }}};

TEST(Load, FailuresAreTold) {
  for (const Failure& failure : kFailures) {
    const auto server =
        start_test_server([&](const http::Request&, const Writer& writer) { failure.answer(*writer); });
    for (const Outcome& outcome : run(load_of(url_of(*server), 3))) {
      EXPECT_FALSE(outcome.success) << failure.error;
      EXPECT_FALSE(outcome.error.empty());
      EXPECT_NE(outcome.error.find(failure.error), std::string::npos) << outcome.error;
    }
  }
}

TEST(Load, NobodyThere) {
  std::string url;
  {
    const auto server = start_test_server([](const http::Request&, const Writer&) {});
    url = url_of(*server);
  }
  for (const Outcome& outcome : run(load_of(url, 2))) {
    EXPECT_FALSE(outcome.success);
    EXPECT_NE(outcome.error.find("connect"), std::string::npos) << outcome.error;
  }
}

/// A server with a model's name; every third request to generate fails.
class FakeModel {
 public:
  FakeModel()
      : server_(start_test_server([this](const http::Request& r, const Writer& w) { answer(r, *w); })) {}

  ServingOptions options() const {
    ServingOptions options;
    options.base_url = url_of(*server_) + "/";
    options.dataset = "random";
    options.num_prompts = 9;
    options.random = {.input_len = 20, .output_len = 5, .range_ratio = 1};
    options.show_progress = false;
    options.settle_s = 0;
    return options;
  }
  bool flushed() const { return flushed_; }
  int requests() const { return requests_; }
  void fail_all() { fail_all_ = true; }

 private:
  static http::Response json(const nlohmann::json& body) { return {.body = body.dump(), .headers = {}}; }

  void answer(const http::Request& request, http::ResponseWriter& writer) {
    if (request.path == "/v1/models") return writer.send(json({{"data", {{{"id", "tiny"}}}}}));
    if (request.path == "/get_model_info") return writer.send(json({{"model_path", kModelDir}}));
    if (request.path == "/get_server_info") {
      return writer.send(json({{"version", "9"}, {"internal_states", {{{"avg_spec_accept_length", 1.5}}}}}));
    }
    if (request.path == "/flush_cache") {
      const bool busy = flush_requests_++ == 0;  // with the warm-up, as real servers are
      flushed_ = !busy && request.method == "POST";
      return writer.send({.status = busy ? 400 : 200, .body = "", .headers = {}});
    }
    const bool warm_up = requests_++ == 0;
    if (fail_all_ || (!warm_up && requests_ % 3 == 0)) {
      return writer.send({.status = 500, .body = "broken", .headers = {}});
    }
    const auto body = nlohmann::json::parse(request.body);
    answer_with_words(writer, body["sampling_params"]["max_new_tokens"]);
  }

  std::atomic<bool> flushed_ = false, fail_all_ = false;
  std::atomic<int> requests_ = 0, flush_requests_ = 0;
  std::unique_ptr<http::Server> server_;
};

TEST(Serving, ARunFromModelToRecord) {
  FakeModel model;
  ServingOptions options = model.options();
  options.flush_cache = true;
  options.request_rate = 1000;
  std::string said;
  const auto report =
      measure_serving(options, [&](std::string_view line) { said += std::string(line) + "\n"; });
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_TRUE(model.flushed());
  EXPECT_EQ(model.requests(), 1 + 9);
  EXPECT_EQ(report->metrics.completed, 6);
  EXPECT_EQ(report->metrics.input_tokens, 6 * 20);
  EXPECT_EQ(report->metrics.output_tokens, 6 * 5);
  EXPECT_EQ(report->server_info["version"], "9");
  EXPECT_EQ(report->accept_length, 1.5);
  EXPECT_NE(said.find("no --dataset-path"), std::string::npos);
  EXPECT_NE(said.find("#Input tokens: 180\n#Output tokens: 45\n"), std::string::npos) << said;
  const std::string text = report_text(*report);
  EXPECT_NE(text.find("Failed requests:                         3"), std::string::npos) << text;
  EXPECT_NE(text.find("First error: status 500: \"broken\""), std::string::npos) << text;
  EXPECT_NE(text.find("Accept length:                           1.50"), std::string::npos) << text;
}

TEST(Serving, WhatCannotWorkIsAnError) {
  const Say ignore = [](std::string_view) {};
  FakeModel model;
  ServingOptions options = model.options();
  const auto error_of = [&] {
    const auto report = measure_serving(options, ignore);
    return report ? std::string("none") : report.error().message();
  };
  options.dataset = "sharegpt";
  EXPECT_NE(error_of().find("--dataset-path"), std::string::npos) << error_of();
  options = model.options();
  options.extra_request_body = "[1]";
  EXPECT_NE(error_of().find("expected a JSON object"), std::string::npos);
  options = model.options();
  options.backend = "unknown";
  EXPECT_NE(error_of().find("unknown"), std::string::npos);
  options = model.options();
  options.request_rate = 0;
  EXPECT_NE(error_of().find("--request-rate"), std::string::npos);
  options = model.options();
  options.tokenizer = "/absent";
  EXPECT_NE(error_of().find("/absent"), std::string::npos);
  options = model.options();
  options.base_url = "http://127.0.0.1:1";
  EXPECT_NE(error_of().find("http://127.0.0.1:1/v1/models"), std::string::npos) << error_of();
  options = model.options();
  model.fail_all();
  EXPECT_NE(error_of().find("warmup failed: status 500: \"broken\""), std::string::npos) << error_of();
}

}  // namespace
}  // namespace tessera::bench::serving
