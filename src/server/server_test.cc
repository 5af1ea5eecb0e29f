// The server as a client sees it: real sockets, the real engine, and a scripted executor in place of a model.
#include "server/server_test_support.h"

namespace tessera::server {
namespace {

constexpr std::string_view kChat =
    R"({"model":"tiny","messages":[{"role":"user","content":"Hi"}],"temperature":0,"max_tokens":5)";

std::string chat(std::string_view more = "") {
  return std::string(kChat) + std::string(more) + "}";
}

TEST_F(ServerTest, ChatAnswers) {
  start();
  const auto response = post("/v1/chat/completions", chat(), "X-Request-Id: abc\r\n");
  ASSERT_EQ(response.status, 200) << response.body;
  const Json body = Json::parse(response.body);
  EXPECT_EQ(body["id"], "chatcmpl-abc");
  // "<user>Hi<bot>" has 13 tokens.
  EXPECT_EQ(body["choices"][0]["message"]["content"], "nopqr");
  EXPECT_EQ(body["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(body["usage"]["prompt_tokens"], 13);
  EXPECT_EQ(body["usage"]["completion_tokens"], 5);
}

TEST_F(ServerTest, ChatStreams) {
  start();
  TestClient client(server_->port());
  client.send_request("POST", "/v1/chat/completions",
                      chat(R"(,"stream":true,"stream_options":{"include_usage":true})"));
  EXPECT_NE(client.read_head().find("Content-Type: text/event-stream"), std::string::npos);
  EXPECT_EQ(Json::parse(client.read_event())["choices"][0]["delta"]["role"], "assistant");
  std::string text;
  std::string reason;
  Json chunk;
  std::string data;
  while ((data = client.read_event()) != "[DONE]") {
    ASSERT_FALSE(data.empty()) << "the stream ended without [DONE]";
    chunk = Json::parse(data);
    if (chunk["choices"].empty()) continue;
    text += chunk["choices"][0]["delta"].value("content", "");
    if (chunk["choices"][0]["finish_reason"].is_string()) reason = chunk["choices"][0]["finish_reason"];
  }
  EXPECT_EQ(text, "nopqr");
  EXPECT_EQ(reason, "length");
  EXPECT_EQ(chunk["usage"]["completion_tokens"], 5) << "the usage chunk comes last";
  EXPECT_EQ(client.read_event(), "") << "nothing follows [DONE]";
  EXPECT_EQ(client.request("GET", "/health").status, 200) << "the connection serves on after a stream";
}

TEST_F(ServerTest, CompletionsWithStop) {
  start();
  const auto response =
      post("/v1/completions", R"({"prompt":"xyz","temperature":0,"max_tokens":50,"stop":["hi","zz"]})");
  const Json body = Json::parse(response.body);
  EXPECT_EQ(body["choices"][0]["text"], "defg");
  EXPECT_EQ(body["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(body["choices"][0]["matched_stop"], "hi");
  const Json list =
      Json::parse(post("/v1/completions", R"({"prompt":["x","xy"],"temperature":0,"max_tokens":2})").body);
  EXPECT_EQ(list["choices"][0]["text"], "bc");
  EXPECT_EQ(list["choices"][1]["text"], "cd");
}

TEST_F(ServerTest, NativeGenerate) {
  start();
  const Json whole = Json::parse(
      post("/generate", R"({"text":"x","sampling_params":{"temperature":0,"max_new_tokens":3}})").body);
  EXPECT_EQ(whole["text"], "bcd");
  EXPECT_EQ(whole["output_ids"], Json::parse("[98,99,100]"));
  EXPECT_EQ(whole["meta_info"]["finish_reason"]["length"], 3);
  TestClient client(server_->port());
  client.send_request(
      "POST", "/generate",
      R"({"input_ids":[120],"stream":true,"sampling_params":{"temperature":0,"max_new_tokens":3}})");
  client.read_head();
  std::string last;
  for (std::string data; (data = client.read_event()) != "[DONE]" && !data.empty();)
    last = data;
  EXPECT_EQ(Json::parse(last)["text"], "bcd");
  const Json none =
      Json::parse(post("/generate", R"({"text":"x","sampling_params":{"max_new_tokens":0}})").body);
  EXPECT_EQ(none["text"], "");
  EXPECT_EQ(none["meta_info"]["finish_reason"]["type"], "length");
}

TEST_F(ServerTest, AStreamThatIsFormattedMoreSlowlyThanMadeIsMerged) {
  start();
  TestClient client(server_->port());
  // The last event alone has 50,000 log-probabilities: milliseconds, while the scripted steps take none.
  client.send_request("POST", "/generate",
                      R"({"input_ids":[120],"stream":true,"return_logprob":true,"top_logprobs_num":128,)"
                      R"("sampling_params":{"temperature":0,"max_new_tokens":400,"n":2}})");
  client.read_head();
  int events = 0;
  Json last[2];
  for (std::string data; (data = client.read_event()) != "[DONE]" && !data.empty(); ++events) {
    Json event = Json::parse(data);
    const auto index = event["index"].get<size_t>();
    last[index] = std::move(event);
  }
  EXPECT_LT(events, 400) << "of 2 times 400 tokens";
  for (const Json& event : last) {
    EXPECT_EQ(event["meta_info"]["completion_tokens"], 400);
    EXPECT_EQ(event["meta_info"]["output_token_logprobs"].size(), 400U);
    EXPECT_EQ(event["meta_info"]["finish_reason"]["type"], "length");
  }
}

TEST_F(ServerTest, InformationEndpoints) {
  start();
  EXPECT_EQ(Json::parse(get("/v1/models").body)["data"][0]["id"], "tiny");
  EXPECT_EQ(Json::parse(get("/v1/models/tiny").body)["id"], "tiny");
  EXPECT_EQ(Json::parse(get("/v1/models/%2Fmodels%2Ftiny").body)["id"], "tiny");
  EXPECT_EQ(Json::parse(get("/get_model_info").body), Json::parse(get("/model_info").body));
  EXPECT_EQ(Json::parse(get("/get_server_info").body)["version"], "test");
  EXPECT_EQ(Json::parse(get("/server_info").body)["max_total_num_tokens"], 4096);
  EXPECT_EQ(Json::parse(get("/get_load").body)[0]["num_reqs"], 0);
  EXPECT_EQ(Json::parse(post("/tokenize", R"({"prompt":"ab"})").body)["count"], 2);
  EXPECT_EQ(Json::parse(post("/detokenize", R"({"tokens":[97]})").body)["text"], "a");
  const auto health = get("/health");
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(health.body, "");
  EXPECT_EQ(get("/health_generate").status, 200);
  EXPECT_TRUE(server_->generate_one_token());
}

TEST_F(ServerTest, WrongPathsAndMethods) {
  start();
  const auto missing = get("/v1/nothing");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(Json::parse(missing.body)["object"], "error");
  EXPECT_EQ(Json::parse(get("/nothing").body)["error"]["message"], "no such path: /nothing");
  const auto method = get("/v1/chat/completions");
  EXPECT_EQ(method.status, 405);
  EXPECT_NE(method.head.find("Allow: POST"), std::string::npos);
  EXPECT_EQ(get("/v1/models/other").status, 404);
  TestClient client(server_->port());
  EXPECT_EQ(client.request("OPTIONS", "/generate").status, 204);
  EXPECT_NE(client.request("HEAD", "/v1/models").head.find(" 200 "), std::string::npos);
}

TEST_F(ServerTest, BadRequestsInTheFormOfTheirApi) {
  start();
  for (const char* body : {"{", "", "[]", R"({"messages":5})",
                           R"({"model":"gpt-9","messages":[{"role":"user","content":"x"}]})"}) {
    const auto response = post("/v1/chat/completions", body);
    EXPECT_EQ(response.status, 400) << body;
    const Json error = Json::parse(response.body);
    EXPECT_EQ(error["object"], "error");
    EXPECT_EQ(error["type"], "BadRequestError");
    EXPECT_EQ(error["code"], 400);
    EXPECT_TRUE(error["message"].is_string());
  }
  const auto native = post("/generate", R"({"text":5})");
  EXPECT_EQ(native.status, 400);
  EXPECT_TRUE(Json::parse(native.body)["error"]["message"].is_string());
  const auto longer = post("/v1/completions", fmt::format(R"({{"prompt":"{}"}})", std::string(600, 'x')));
  EXPECT_EQ(longer.status, 400);
  const std::string message = Json::parse(longer.body)["message"];
  EXPECT_NE(message.find("600"), std::string::npos) << message;
  EXPECT_NE(message.find("512"), std::string::npos) << message;
}

TEST_F(ServerTest, ApiKeyGuardsAllButHealth) {
  options_.api_keys = {"other", "secret"};
  options_.enable_metrics = true;
  start();
  const auto refused = post("/v1/chat/completions", chat());
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(refused.body, R"({"error":"Unauthorized"})");
  EXPECT_EQ(get("/v1/models", "Authorization: Bearer wrong\r\n").status, 401);
  EXPECT_EQ(get("/nothing").status, 401) << "paths are not told to strangers";
  EXPECT_EQ(get("/v1/models", "Authorization: Bearer secret\r\n").status, 200);
  EXPECT_EQ(get("/v1/models", "Authorization: Bearer other\r\n").status, 200);
  EXPECT_EQ(get("/metrics").status, 401) << "numbers about users are not for strangers";
  EXPECT_EQ(post("/abort_request", R"({"abort_all":true})").status, 401);
  EXPECT_EQ(get("/health").status, 200);
  EXPECT_EQ(get("/health_generate").status, 200);
}

TEST_F(ServerTest, ClientThatLeavesFreesItsRequest) {
  step_time_ = 2ms;
  start();
  for (const char* stream : {"false", "true"}) {
    TestClient client(server_->port());
    client.send_request(
        "POST", "/generate",
        fmt::format(
            R"({{"text":"x","stream":{},"sampling_params":{{"temperature":0,"max_new_tokens":500}}}})",
            stream));
    ASSERT_TRUE(engine_is_busy());
    const auto left = std::chrono::steady_clock::now();
    client.close();
    EXPECT_TRUE(engine_is_idle());
    // 500 tokens would take a second; leaving must not wait for them.
    EXPECT_LT(std::chrono::steady_clock::now() - left, 500ms) << "stream: " << stream;
  }
}

TEST_F(ServerTest, RequestsProgressTogether) {
  step_time_ = 1ms;
  start();
  const std::string body =
      R"({"text":"x","stream":true,"sampling_params":{"temperature":0,"max_new_tokens":400}})";
  TestClient first(server_->port());
  first.send_request("POST", "/generate", body);
  first.read_head();
  first.read_event();
  TestClient second(server_->port());
  second.send_request("POST", "/generate",
                      R"({"text":"y","sampling_params":{"temperature":0,"max_new_tokens":5}})");
  EXPECT_EQ(Json::parse(second.read_response().body)["text"], "bcdef");
  // The statistics follow the last token by a step: only the long request must be left, and still running.
  while (engine_->stats().running > 1)
    std::this_thread::sleep_for(1ms);
  EXPECT_EQ(engine_->stats().running, 1) << "the short request ends while the long one still runs";
}

TEST_F(ServerTest, NeighboursChangeNothing) {
  start();
  const std::string body =
      R"({"text":"The quick","sampling_params":{"temperature":0.9,"sampling_seed":5,"max_new_tokens":40}})";
  const std::string alone = Json::parse(post("/generate", body).body)["text"];
  std::vector<std::thread> clients;
  std::atomic<int> wrong{0};
  for (int client = 0; client < 6; ++client) {
    clients.emplace_back([&, client] {
      for (int round = 0; round < 5; ++round) {
        if (client % 3 == 0) {
          TestClient leaver(server_->port());
          leaver.send_request("POST", "/generate",
                              R"({"text":"zzz","sampling_params":{"max_new_tokens":300}})");
        } else if (client % 3 == 1) {
          post("/generate", R"({"text":5})");
        } else if (Json::parse(post("/generate", body).body)["text"] != alone) {
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

TEST_F(ServerTest, FullQueueSays429) {
  engine_options_.max_running_requests = 1;
  engine_options_.max_queued_requests = 1;
  step_time_ = 2ms;
  start();
  const std::string body = R"({"text":"x","sampling_params":{"temperature":0,"max_new_tokens":400}})";
  TestClient running(server_->port());
  running.send_request("POST", "/generate", body);
  ASSERT_TRUE(engine_is_busy());
  TestClient queued(server_->port());
  queued.send_request("POST", "/generate", body);
  while (engine_->stats().queued == 0)
    std::this_thread::sleep_for(1ms);
  const auto refused = post("/v1/completions", R"({"prompt":"x"})");
  EXPECT_EQ(refused.status, 429);
  EXPECT_NE(refused.head.find("Retry-After: 1\r\n"), std::string::npos);
  EXPECT_EQ(Json::parse(refused.body)["type"], "RateLimitError");
}

TEST_F(ServerTest, EngineFailureBeforeTheFirstTokenIsAStatus) {
  start();
  fail_ = true;
  for (const char* stream : {"", R"(,"stream":true)"}) {
    const auto whole = post("/v1/chat/completions", chat(stream));
    EXPECT_EQ(whole.status, 500) << stream;
    EXPECT_EQ(whole.body.find("fire"), std::string::npos) << "internals are for the log";
  }
  EXPECT_EQ(get("/health_generate").status, 503);
  fail_ = false;
  EXPECT_EQ(post("/v1/chat/completions", chat()).status, 200) << "the server outlives a failed step";
}

TEST_F(ServerTest, EngineFailureWithinAStreamIsAnEvent) {
  step_time_ = 1ms;
  start();
  TestClient client(server_->port());
  client.send_request("POST", "/v1/chat/completions",
                      R"({"messages":[{"role":"user","content":"Hi"}],"stream":true})");
  ASSERT_NE(client.read_head().find(" 200 "), std::string::npos);
  ASSERT_NE(client.read_event(), "");
  fail_ = true;
  std::string last;
  for (std::string data; (data = client.read_event()) != "[DONE]" && !data.empty();)
    last = data;
  const Json error = Json::parse(last, nullptr, false);
  ASSERT_TRUE(error.contains("error")) << last;
  EXPECT_EQ(error["error"]["code"], 500);
}

TEST_F(ServerTest, DrainLetsAnswersEndAndRefusesNewOnes) {
  step_time_ = 2ms;
  start();
  TestClient busy(server_->port());
  busy.send_request("POST", "/generate",
                    R"({"text":"x","sampling_params":{"temperature":0,"max_new_tokens":200}})");
  ASSERT_TRUE(engine_is_busy());
  std::thread drainer([&] { server_->drain(20); });
  while (get("/health").status != 503)
    std::this_thread::sleep_for(1ms);
  EXPECT_EQ(post("/generate", R"({"text":"x"})").status, 503);
  EXPECT_EQ(Json::parse(busy.read_response().body)["meta_info"]["completion_tokens"], 200);
  drainer.join();
  EXPECT_FALSE(TestClient(server_->port()).connected());
}

TEST_F(ServerTest, DrainCutsAtItsDeadline) {
  step_time_ = 5ms;
  start();
  TestClient busy(server_->port());
  busy.send_request("POST", "/generate",
                    R"({"text":"x","sampling_params":{"temperature":0,"max_new_tokens":500}})");
  ASSERT_TRUE(engine_is_busy());
  server_->drain(0.05);
  EXPECT_EQ(busy.read_response().status, 503) << "a cut answer is an error, never a short success";
}

}  // namespace
}  // namespace tessera::server
