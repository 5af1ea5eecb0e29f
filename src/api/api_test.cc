// Errors, model lists, tokenize: what is small.
#include "api/abort.h"
#include "api/api_test_support.h"
#include "api/error.h"
#include "api/server_info.h"
#include "api/tokenize.h"

namespace tessera::api {
namespace {

TEST(Errors, CodesBecomeStatuses) {
  EXPECT_EQ(http_status(ErrorCode::kInvalidArgument), 400);
  EXPECT_EQ(http_status(ErrorCode::kUnsupported), 400);
  EXPECT_EQ(http_status(ErrorCode::kNotFound), 404);
  EXPECT_EQ(http_status(ErrorCode::kResourceExhausted), 429);
  EXPECT_EQ(http_status(ErrorCode::kUnavailable), 503);
  EXPECT_EQ(http_status(ErrorCode::kCancelled), 499);
  EXPECT_EQ(http_status(ErrorCode::kDeadlineExceeded), 504);
  EXPECT_EQ(http_status(ErrorCode::kDataCorrupt), 500);
  EXPECT_EQ(http_status(ErrorCode::kInternal), 500);
}

TEST(Errors, Forms) {
  EXPECT_EQ(openai_error(400, "a \"b\""),
            R"({"object":"error","message":"a \"b\"","type":"BadRequestError","param":null,"code":400})");
  EXPECT_EQ(native_error("x"), R"({"error":{"message":"x"}})");
  EXPECT_EQ(native_error_event(invalid_argument("x")), "data: {\"error\":{\"message\":\"x\"}}\n\n");
  EXPECT_EQ(native_error("\xff"), "{\"error\":{\"message\":\"\xef\xbf\xbd\"}}") << "never half a character";
}

TEST(Errors, InternalOnesKeepTheirDetail) {
  EXPECT_EQ(public_message(internal_error("secret path /root/x")).find("secret"), std::string::npos);
  EXPECT_EQ(public_message(invalid_argument("temperature is 5")), "temperature is 5");
}

TEST(Models, ListAndEntry) {
  const Json list = Json::parse(models_list(test_card()));
  EXPECT_EQ(list["object"], "list");
  ASSERT_EQ(list["data"].size(), 1U);
  EXPECT_EQ(list["data"][0]["id"], "tiny");
  EXPECT_EQ(list["data"][0]["object"], "model");
  EXPECT_EQ(list["data"][0]["max_model_len"], 200);
  EXPECT_EQ(Json::parse(*model_entry(test_card(), "tiny"))["id"], "tiny");
  EXPECT_EQ(model_entry(test_card(), "other").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(Json::parse(model_info(test_card()))["model_path"], "/models/tiny");
}

TEST(Models, CardOfADirectory) {
  formats::ModelDir directory;
  directory.path = "/models/tiny";
  directory.config = Json::parse(R"({"model_type":"llama","architectures":["LlamaForCausalLM"]})");
  directory.generation_config = Json::parse(R"({"temperature":0.25,"do_sample":true})");
  const auto card = make_model_card(directory, "tiny", 99, 512);
  ASSERT_TRUE(card) << card.error().message();
  EXPECT_EQ(card->path, "/models/tiny");
  EXPECT_EQ(card->architectures, std::vector<std::string>{"LlamaForCausalLM"});
  EXPECT_EQ(card->max_model_len, 99);
  EXPECT_EQ(card->vocab_size, 512);
  EXPECT_EQ(card->defaults.temperature, 0.25);
  EXPECT_GT(card->created, 1'700'000'000);
  directory.generation_config = Json::parse(R"({"top_k":"all"})");
  EXPECT_FALSE(make_model_card(directory, "tiny", 99, 512));
}

TEST(ServerInfo, CountsAreNeverNegative) {
  const engine::EngineStats stats{
      .running = 2, .queued = 1, .queued_tokens = 5, .used_tokens = 30, .total_tokens = 100};
  const Json info = Json::parse(server_info(test_card(), {{"max_running_requests", 64}}, stats, "1.0"));
  EXPECT_EQ(info["max_running_requests"], 64);
  EXPECT_EQ(info["max_total_num_tokens"], 100);
  EXPECT_EQ(info["internal_states"].size(), 1U);
  EXPECT_EQ(load_info(stats),
            R"([{"dp_rank":0,"num_reqs":3,"num_waiting_reqs":1,"num_tokens":35,"num_pending_tokens":5}])");
  const Json ours = Json::parse(loads(stats, 4, "1.0", true));
  EXPECT_EQ(ours["loads"][0]["token_usage"], 0.3);
  EXPECT_EQ(ours["loads"][0]["utilization"], 0.5);
  EXPECT_EQ(ours["aggregate"]["total_tokens"], 35);
  EXPECT_TRUE(Json::parse(loads(stats, 4, "1.0", false))["loads"].empty());
}

TEST(Abort, NamesOneOrAll) {
  EXPECT_EQ(parse_abort(R"({"rid":"a"})", {})->rid, "a");
  EXPECT_TRUE(parse_abort(R"({"rid":null,"abort_all":true})", {})->all);
  for (const char* body : {"{}", R"({"rid":""})", R"({"rid":5})", R"({"abort_all":1})", "[", ""}) {
    EXPECT_FALSE(parse_abort(body, {})) << body;
  }
}

TEST(Limits, AreObeyed) {
  ModelCard card = test_card();
  card.limits = {.body_bytes = 100, .json_depth = 3, .messages = 1, .prompts = 1};
  EXPECT_TRUE(parse_completion(R"({"prompt":["a"]})", card, "id"));
  for (const char* body : {R"({"prompt":["a","b"]})", R"({"prompt":"a","x":[[[0]]]})"}) {
    EXPECT_FALSE(parse_completion(body, card, "id")) << body;
  }
  EXPECT_FALSE(
      parse_completion(fmt::format(R"({{"prompt":"a","x":"{}"}})", std::string(100, 'x')), card, "id"));
  EXPECT_FALSE(parse_chat(R"({"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]})",
                          card, "id"));
}

TEST(Tokenize, BothWays) {
  EXPECT_EQ(*tokenize(R"({"prompt":"ab"})", test_card()),
            R"({"tokens":[97,98],"count":2,"max_model_len":200})");
  EXPECT_EQ(*tokenize(R"({"prompt":["a","b"]})", test_card()),
            R"({"tokens":[[97],[98]],"count":[1,1],"max_model_len":200})");
  EXPECT_EQ(*detokenize(R"({"tokens":[97,98]})", test_card()), R"({"text":"ab"})");
  EXPECT_EQ(*detokenize(R"({"tokens":[[97],[98]]})", test_card()), R"({"text":["a","b"]})");
  EXPECT_EQ(*detokenize(R"({"tokens":[97,256],"skip_special_tokens":false})", test_card()),
            R"({"text":"a<eos>"})");
  for (const char* body : {"{}", R"({"prompt":5})", R"({"prompt":"a","model":"other"})"}) {
    EXPECT_FALSE(tokenize(body, test_card())) << body;
  }
  for (const char* body : {"{}", R"({"tokens":"a"})", R"({"tokens":[9999]})", R"({"tokens":[[1],2.5]})"}) {
    EXPECT_FALSE(detokenize(body, test_card())) << body;
  }
}

TEST(Merge, JoinsPieces) {
  engine::Output merged = output("a", {1}, 1);
  merge(merged, finished(output("b", {2, 3}, 3), out_of_length()));
  EXPECT_EQ(merged.text, "ab");
  EXPECT_EQ(merged.ids, (std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(merged.completion_tokens, 3);
  EXPECT_TRUE(merged.finish);
}

}  // namespace
}  // namespace tessera::api
