// Embeddings, and requests that wait too long, as a client sees them.
#include <cmath>
#include <numeric>

#include "server/server_test_support.h"

namespace tessera::server {
namespace {

class EmbeddingsTest : public ServerTest {
 protected:
  /// What the executor makes up for `text`, brought to length 1.
  static std::vector<float> expected(std::string_view text, bool mean = false) {
    const std::vector<int32_t> ids(text.begin(), text.end());
    engine::PooledRows rows;
    for (size_t end = mean ? 1 : ids.size(); end <= ids.size(); ++end) {
      EXPECT_TRUE(rows.add(engine::FakeExecutor::hidden_state(std::span(ids).first(end), kHidden), kHidden));
    }
    auto vector = rows.mean();
    const double length = std::sqrt(std::inner_product(vector.begin(), vector.end(), vector.begin(), 0.0));
    for (float& number : vector)
      number = static_cast<float>(number / length);
    return vector;
  }
  static void expect_near(const Json& found, const std::vector<float>& wanted) {
    ASSERT_EQ(found.size(), wanted.size()) << found;
    for (size_t at = 0; at < wanted.size(); ++at)
      EXPECT_NEAR(found[at].get<double>(), wanted[at], 1e-6);
  }
};

TEST_F(EmbeddingsTest, OneOrSeveral) {
  start();
  const auto response = post("/v1/embeddings", R"({"model":"tiny","input":["abc","xyz"]})");
  ASSERT_EQ(response.status, 200) << response.body;
  const Json body = Json::parse(response.body);
  expect_near(body["data"][0]["embedding"], expected("abc"));
  expect_near(body["data"][1]["embedding"], expected("xyz"));
  EXPECT_EQ(body["usage"]["prompt_tokens"], 6);
  const Json mean = Json::parse(post("/v1/embeddings", R"({"input":"abc","pooling":"mean"})").body);
  expect_near(mean["data"][0]["embedding"], expected("abc", true));
  const Json native = Json::parse(post("/encode", R"({"text":"abc"})").body);
  expect_near(native["embedding"], expected("abc"));
  EXPECT_TRUE(engine_is_idle());
}

TEST_F(EmbeddingsTest, BesideAnswersInSmallChunks) {
  engine_options_.chunked_prefill_size = 5;
  engine_options_.max_running_requests = 3;
  start();
  const std::string text(120, 'q');
  const std::string body = fmt::format(R"({{"input":["{}","ab"],"pooling":"mean"}})", text);
  const std::string alone = Json::parse(post("/v1/embeddings", body).body)["data"].dump();
  std::vector<std::thread> clients;
  std::atomic<int> wrong{0};
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&, client] {
      for (int round = 0; round < 5; ++round) {
        if (client == 0) {
          post("/generate", R"({"text":"zzz","sampling_params":{"temperature":0,"max_new_tokens":40}})");
        } else if (Json::parse(post("/v1/embeddings", body).body)["data"].dump() != alone) {
          ++wrong;
        }
      }
    });
  }
  for (std::thread& client : clients)
    client.join();
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_TRUE(engine_is_idle());
}

TEST_F(EmbeddingsTest, AClientThatLeavesFreesItsInputs) {
  step_time_ = 2ms;
  engine_options_.chunked_prefill_size = 1;
  start();
  TestClient client(server_->port());
  client.send_request("POST", "/v1/embeddings",
                      fmt::format(R"({{"input":["{0}","{0}"]}})", std::string(500, 'x')));
  ASSERT_TRUE(engine_is_busy());
  client.close();
  EXPECT_TRUE(engine_is_idle());
  EXPECT_LT(engine_->stats().steps, 400);
}

TEST_F(EmbeddingsTest, ErrorsInTheFormOfTheirApi) {
  start();
  const auto refused = post("/v1/embeddings", R"({"input":"a","dimensions":5})");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(Json::parse(refused.body)["message"], "dimensions is 5, expected an integer from 1 to 4");
  EXPECT_EQ(post("/encode", "{}").status, 400);
  fail_ = true;
  const auto failed = post("/v1/embeddings", R"({"input":"a"})");
  EXPECT_EQ(failed.status, 500);
  EXPECT_EQ(Json::parse(failed.body)["type"], "InternalServerError");
}

TEST_F(EmbeddingsTest, WaitingTooLongIsA503) {
  engine_options_.max_running_requests = 1;
  engine_options_.queue_timeout_s = 0.02;
  options_.enable_metrics = true;
  step_time_ = 2ms;
  start();
  const std::string body = R"({"text":"x","sampling_params":{"temperature":0,"max_new_tokens":400}})";
  TestClient running(server_->port());
  running.send_request("POST", "/generate", body);
  ASSERT_TRUE(engine_is_busy());
  const auto late = post("/v1/completions", R"({"prompt":"x"})");
  EXPECT_EQ(late.status, 503);
  EXPECT_NE(late.head.find("Retry-After: 1\r\n"), std::string::npos) << late.head;
  EXPECT_EQ(Json::parse(late.body)["type"], "ServiceUnavailableError");
  const auto streamed = post("/generate", R"({"text":"x","stream":true})");
  EXPECT_EQ(streamed.status, 503) << "its stream has not begun";
  // The numbers follow the answer by a step.
  while (engine_->stats().queue_timeouts < 2)
    std::this_thread::sleep_for(1ms);
  EXPECT_NE(get("/metrics").body.find("tessera:queue_timeouts_total{model_name=\"tiny\"} 2"),
            std::string::npos);
  EXPECT_EQ(engine_->stats().running, 1) << "it has begun, and may take its time";
}

}  // namespace
}  // namespace tessera::server
