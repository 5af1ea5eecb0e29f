// Endpoints that look after the server, metrics, logs and CORS, as a client sees them.
#include "server/operations.h"

#include "server/cors.h"
#include "server/server_test_support.h"

namespace tessera::server {
namespace {

using OperationsTest = ServerTest;

constexpr std::string_view kLong =
    R"({"text":"x","rid":"mine","sampling_params":{"temperature":0,"max_new_tokens":500}})";

TEST_F(OperationsTest, AbortByNameEndsThatAnswerAlone) {
  step_time_ = 2ms;
  start();
  TestClient mine(server_->port()), other(server_->port());
  mine.send_request("POST", "/generate", kLong);
  other.send_request("POST", "/generate",
                     R"({"text":"x","sampling_params":{"temperature":0,"max_new_tokens":60}})");
  while (engine_->stats().running < 2)
    std::this_thread::sleep_for(1ms);
  EXPECT_EQ(post("/abort_request", R"({"rid":"unknown"})").status, 200);
  EXPECT_EQ(post("/abort_request", R"({"rid":"mine"})").status, 200);
  const auto answer = mine.read_response();
  EXPECT_EQ(answer.status, 200);
  const Json body = Json::parse(answer.body);
  EXPECT_EQ(body["meta_info"]["finish_reason"]["type"], "abort");
  EXPECT_LT(body["meta_info"]["completion_tokens"], 500);
  EXPECT_EQ(body["text"].get<std::string>().size(), body["meta_info"]["completion_tokens"])
      << "what was there by then is the answer";
  EXPECT_EQ(Json::parse(other.read_response().body)["meta_info"]["finish_reason"]["type"], "length");
  EXPECT_EQ(post("/abort_request", "{}").status, 400);
}

TEST_F(OperationsTest, AbortAllEndsStreamsToo) {
  step_time_ = 2ms;
  engine_options_.max_running_requests = 1;
  start();
  TestClient stream(server_->port()), waiting(server_->port());
  stream.send_request("POST", "/v1/completions",
                      R"({"prompt":"x","stream":true,"temperature":0,"max_tokens":500})");
  stream.read_head();
  ASSERT_NE(stream.read_event(), "");
  ASSERT_TRUE(engine_is_busy());  // until then the stream's own request counts as queued
  waiting.send_request("POST", "/generate", kLong);
  while (engine_->stats().queued == 0)
    std::this_thread::sleep_for(1ms);
  EXPECT_EQ(post("/abort_request", R"({"abort_all":true})").status, 200);
  Json last;
  for (std::string data; (data = stream.read_event()) != "[DONE]" && !data.empty();)
    last = Json::parse(data);
  EXPECT_EQ(last["choices"][0]["finish_reason"], "abort");
  EXPECT_EQ(Json::parse(waiting.read_response().body)["meta_info"]["finish_reason"]["type"], "abort");
  EXPECT_TRUE(engine_is_idle());
}

TEST_F(OperationsTest, FlushWantsAnIdleEngine) {
  step_time_ = 2ms;
  start();
  const auto flushed = post("/flush_cache", "");
  EXPECT_EQ(flushed.status, 200);
  EXPECT_TRUE(flushed.body.starts_with("Cache flushed.\n"));
  TestClient busy(server_->port());
  busy.send_request("POST", "/generate", kLong);
  ASSERT_TRUE(engine_is_busy());
  EXPECT_EQ(get("/flush_cache").status, 400);
  EXPECT_EQ(get("/flush_cache?timeout=0.03").status, 400);
  EXPECT_EQ(get("/flush_cache?timeout=soon").status, 400);
  TestClient waiting(server_->port());
  waiting.send_request("POST", "/flush_cache?timeout=20");
  EXPECT_EQ(post("/abort_request", R"({"abort_all":true})").status, 200);
  EXPECT_EQ(waiting.read_response().status, 200);
}

TEST_F(OperationsTest, HealthGenerateIsAboutTheEngine) {
  options_.health_limit = 100ms;
  start();
  EXPECT_EQ(get("/health_generate").status, 200);
  step_time_ = 400ms;
  EXPECT_EQ(get("/health_generate").status, 503) << "no step within the limit";
  EXPECT_EQ(get("/health").status, 200);
  EXPECT_TRUE(engine_is_idle());
  step_time_ = 2ms;
  TestClient busy(server_->port());
  busy.send_request("POST", "/generate", kLong);
  ASSERT_TRUE(engine_is_busy());
  EXPECT_EQ(get("/health_generate").status, 200) << "steps for others prove it too";
}

TEST_F(OperationsTest, Loads) {
  options_.arguments["max_running_requests"] = 64;
  start();
  const Json loads = Json::parse(get("/v1/loads?include=core").body);
  EXPECT_EQ(loads["loads"][0]["num_running_reqs"], 0);
  EXPECT_EQ(loads["loads"][0]["max_running_requests"], 64);
  EXPECT_EQ(loads["aggregate"]["total_tokens"], 0);
  EXPECT_TRUE(Json::parse(get("/v1/loads?dp_rank=1").body)["loads"].empty());
  EXPECT_EQ(get("/v1/loads?format=prometheus").status, 400);
}

// The value of a sample of /metrics, by the beginning of its line; -1: there is none.
double sample(const std::string& text, const std::string& name) {
  const size_t at = text.find("\n" + name);
  return at == text.npos ? -1 : std::stod(text.substr(text.find(' ', at)));
}

TEST_F(OperationsTest, MetricsCountWhatWasServed) {
  options_.enable_metrics = true;
  start();
  post("/generate", R"({"text":"abc","sampling_params":{"temperature":0,"max_new_tokens":5}})");
  post("/generate", R"({"text":5})");
  ASSERT_TRUE(engine_is_idle());
  const auto response = get("/metrics");
  EXPECT_NE(response.head.find("Content-Type: text/plain; version=0.0.4"), std::string::npos);
  const std::string& text = response.body;
  EXPECT_EQ(sample(text, "sglang:num_requests_total"), 1);
  EXPECT_EQ(sample(text, "sglang:num_aborted_requests_total"), 0);
  EXPECT_EQ(sample(text, "sglang:prompt_tokens_total"), 3);
  EXPECT_EQ(sample(text, "sglang:generation_tokens_total"), 5);
  EXPECT_EQ(sample(text, "sglang:time_to_first_token_seconds_count"), 1);
  EXPECT_EQ(sample(text, "sglang:inter_token_latency_seconds_count"), 4);
  EXPECT_EQ(sample(text, "sglang:e2e_request_latency_seconds_count"), 1);
  EXPECT_EQ(sample(text, "sglang:num_running_reqs"), 0);
  EXPECT_EQ(sample(text, "sglang:num_queue_reqs"), 0);
  EXPECT_EQ(sample(text, "sglang:max_total_num_tokens"), 4096);
  EXPECT_EQ(sample(text, "tessera:steps_total"), 5);
  EXPECT_GT(sample(text, "tessera:step_seconds_total"), 0);
  EXPECT_EQ(sample(text, "tessera:http_responses_total{code=\"200\""), 1);
  EXPECT_EQ(sample(text, "tessera:http_responses_total{code=\"400\""), 1);
}

TEST_F(OperationsTest, DescribesItself) {
  start();
  const Json api = Json::parse(get("/openapi.json").body);
  EXPECT_EQ(api["openapi"], "3.1.0");
  EXPECT_TRUE(api["paths"].contains("/generate"));
  EXPECT_TRUE(api["paths"].contains("/v1/models/{id}"));
  EXPECT_FALSE(api["paths"].contains("/metrics")) << "what is off is not offered";
  EXPECT_TRUE(api["paths"]["/generate"]["put"]["responses"].contains("429"));
  // Every reference leads somewhere.
  const std::string text = api.dump();
  const std::string_view mark = "#/components/schemas/";
  for (size_t at = 0; (at = text.find(mark, at)) != text.npos; at += mark.size()) {
    const size_t begin = at + mark.size();
    const std::string name = text.substr(begin, text.find('"', begin) - begin);
    EXPECT_TRUE(api["components"]["schemas"].contains(name)) << name;
  }
}

TEST_F(OperationsTest, MetricsAreOffByDefault) {
  start();
  EXPECT_EQ(get("/metrics").status, 404);
}

TEST_F(OperationsTest, RetryAfterFollowsTheQueue) {
  engine::EngineStats stats{.queued_tokens = 1000, .last_prefill_tokens_per_s = 100};
  const auto header = [&] {
    return error_response(resource_exhausted("full"), "", stats).headers.at(0).value;
  };
  EXPECT_EQ(header(), "10");
  stats.queued_tokens = 1'000'000;
  EXPECT_EQ(header(), "60");
  EXPECT_EQ(error_response(resource_exhausted("full"), "", {}).headers.at(0).value, "1");
}

TEST_F(OperationsTest, CorsIsForNamedOrigins) {
  start();
  EXPECT_EQ(get("/v1/models", "Origin: http://a\r\n").head.find("Access-Control"), std::string::npos);
  server_.reset();
  options_.cors_origins = {"http://a", "http://b"};
  options_.api_keys = {"secret"};
  start();
  const std::string preflight =
      TestClient(server_->port())
          .request("OPTIONS", "/generate", "", "Origin: http://b\r\nAccess-Control-Request-Method: POST\r\n")
          .head;
  EXPECT_NE(preflight.find("Access-Control-Allow-Origin: http://b\r\n"), std::string::npos);
  EXPECT_NE(preflight.find("Access-Control-Allow-Headers: Authorization"), std::string::npos);
  const std::string refused = get("/v1/models", "Origin: http://a\r\n").head;
  EXPECT_NE(refused.find(" 401 "), std::string::npos);
  EXPECT_NE(refused.find("Access-Control-Allow-Origin: http://a\r\n"), std::string::npos)
      << "a page may read its errors";
  const std::string stranger = get("/health", "Origin: http://evil\r\n").head;
  EXPECT_EQ(stranger.find("Access-Control-Allow-Origin"), std::string::npos);
  EXPECT_NE(stranger.find("Vary: Origin"), std::string::npos);
}

TEST(Cors, AnyOrigin) {
  http::Request request;
  request.headers = {{"Origin", "http://a"}};
  const std::vector<std::string> any = {"*"};
  EXPECT_EQ(cors_headers(any, request).at(0).value, "*");
  request.headers.clear();
  EXPECT_TRUE(cors_headers(any, request).empty());
}

TEST(RequestLog, Lines) {
  const http::AccessRecord http{.method = "POST",
                                .target = "/generate",
                                .client = "1.2.3.4:5",
                                .id = "abc",
                                .status = 200,
                                .seconds = 0.0123,
                                .remark = ""};
  const RequestRecord record{
      .rid = "abc",
      .request = {.prompt_ids = {'h', 'i'}, .max_new_tokens = 5},
      .answer = api::finished(api::output(std::string(3000, 'y'), {1}, 1), api::out_of_length()),
      .first_token_s = 0.001,
      .seconds = 0.002};
  const RequestLog text({.level = 0}, api::test_tokenizer());
  EXPECT_EQ(text.line(http), "1.2.3.4:5 POST /generate 200 12.3 ms id=abc");
  EXPECT_EQ(text.line(record),
            "request rid=\"abc\" prompt_tokens=7 cached_tokens=0 completion_tokens=1 "
            "finish_reason={\"type\":\"length\",\"length\":1} first_token_ms=1.0 ms=2.0");
  const RequestLog json({.json = true}, api::test_tokenizer());
  const Json access = Json::parse(json.line(http));
  EXPECT_EQ(access["event"], "http");
  EXPECT_EQ(access["status"], 200);
  EXPECT_EQ(access["ms"], 12.3);
  const Json request = Json::parse(json.line(record));
  EXPECT_EQ(request["prompt"], "hi");
  EXPECT_EQ(request["text"].get<std::string>().size(), 2051U) << "the beginning and ...";
  EXPECT_EQ(request["sampling_params"]["max_new_tokens"], 5);
  const RequestLog all({.level = 3, .json = true}, api::test_tokenizer());
  EXPECT_EQ(Json::parse(all.line(record))["text"].get<std::string>().size(), 3000U);
}

}  // namespace
}  // namespace tessera::server
