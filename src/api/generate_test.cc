#include "api/api_test_support.h"

namespace tessera::api {
namespace {

Call parse(const std::string& body) {
  auto call = parse_generate(body, test_card(), "id");
  EXPECT_TRUE(call) << call.error().message();
  return call ? std::move(*call) : Call{};
}

TEST(Generate, InputsAndDefaults) {
  const Call text = parse(R"({"text":"abc"})");
  EXPECT_EQ(text_of(text.requests.at(0).prompt_ids), "abc");
  EXPECT_EQ(text.requests.at(0).max_new_tokens, 128);
  EXPECT_EQ(parse(R"({"input_ids":[4,5]})").requests.at(0).prompt_ids, (std::vector<int32_t>{4, 5}));
  EXPECT_EQ(parse(R"({"text":["a","b","c"]})").requests.size(), 3U);
  EXPECT_EQ(parse(R"({"input_ids":[[4],[5]],"sampling_params":[{"max_new_tokens":1},{"max_new_tokens":2}]})")
                .requests.at(1)
                .max_new_tokens,
            2);
}

TEST(Generate, AcceptsWhatTheBenchmarkSends) {
  const Call call = parse(
      R"({"text":"abc","sampling_params":{"temperature":0.0,"max_new_tokens":8,"ignore_eos":true},"stream":true,
          "lora_path":null,"return_logprob":false,"logprob_start_len":-1,"image_data":null})");
  EXPECT_TRUE(call.stream);
  EXPECT_TRUE(call.requests.at(0).sampling.greedy());
  EXPECT_TRUE(call.requests.at(0).ignore_eos);
  EXPECT_EQ(call.requests.at(0).max_new_tokens, 8);
}

TEST(Generate, ZeroNewTokensFillsTheCache) {
  EXPECT_EQ(parse(R"({"text":"abc","sampling_params":{"max_new_tokens":0}})").requests.at(0).max_new_tokens,
            0);
}

TEST(Generate, Refusals) {
  const auto wrong = [](const std::string& body, std::string_view part) {
    expect_refused(parse_generate, body, ErrorCode::kInvalidArgument, part);
  };
  wrong("{}", "text");
  wrong(R"({"text":"a","input_ids":[1]})", "both");
  wrong(R"({"text":5})", "text");
  wrong(R"({"input_ids":"a"})", "input_ids");
  wrong(R"({"input_ids":[1.5]})", "1.5");
  wrong(R"({"input_ids":[1000]})", "1000");
  wrong(R"({"text":"a","sampling_params":5})", "sampling_params");
  wrong(R"({"text":"a","sampling_params":[{},{}]})", "sampling_params");
  wrong(R"({"text":"a","sampling_params":{"temperature":"x"}})", "sampling_params.temperature");
  wrong(R"({"text":"a","sampling_params":{"max_new_tokens":-1}})", "max_new_tokens");
  wrong(R"({"text":["a","b"],"rid":"one"})", "rid");
  for (const char* field : {R"("return_logprob":true)", R"("image_data":"x")", R"("lora_path":"x")",
                            R"("input_embeds":[[0.5]])"}) {
    expect_refused(parse_generate, fmt::format(R"({{"text":"a",{}}})", field), ErrorCode::kUnsupported,
                   "not supported");
  }
  for (const char* field :
       {R"("n":2)", R"("json_schema":"{}")", R"("regex":"a")", R"("presence_penalty":1)"}) {
    expect_refused(parse_generate, fmt::format(R"({{"text":"a","sampling_params":{{{}}}}})", field),
                   ErrorCode::kUnsupported, "not supported");
  }
}

TEST(GenerateReply, WholeAndLists) {
  Call call = parse(R"({"text":"abc","rid":"mine"})");
  const auto answer = finished(output("xy", {1, 2}, 2), stopped_at(std::string("E")));
  const Json body = Json::parse(call.reply->whole({&answer, 1}));
  EXPECT_EQ(body["text"], "xy");
  EXPECT_EQ(body["output_ids"], Json::parse("[1,2]"));
  EXPECT_EQ(body["meta_info"]["id"], "mine");
  EXPECT_EQ(body["meta_info"]["finish_reason"], Json::parse(R"({"type":"stop","matched":"E"})"));
  EXPECT_EQ(body["meta_info"]["prompt_tokens"], 7);
  EXPECT_EQ(body["meta_info"]["completion_tokens"], 2);
  EXPECT_EQ(body["meta_info"]["cached_tokens"], 0);
  EXPECT_EQ(body["meta_info"]["weight_version"], "default");
  EXPECT_TRUE(body["meta_info"]["e2e_latency"].is_number());

  Call list = parse(R"({"text":["abc"]})");
  EXPECT_TRUE(Json::parse(list.reply->whole({&answer, 1})).is_array()) << "list in, list out";
}

TEST(GenerateReply, StreamIsCumulative) {
  Call call = parse(R"({"text":"abc","stream":true})");
  EXPECT_EQ(call.reply->opening(), "");
  const auto piece = [&](const engine::Output& o) {
    return Json::parse(events_of(call.reply->piece(0, o)).at(0));
  };
  const Json first = piece(output("a", {1}, 1));
  EXPECT_EQ(first["text"], "a");
  EXPECT_TRUE(first["meta_info"]["finish_reason"].is_null());
  const Json second = piece(finished(output("b", {2}, 2), out_of_length()));
  EXPECT_EQ(second["text"], "ab");
  EXPECT_EQ(second["output_ids"], Json::parse("[1,2]"));
  EXPECT_EQ(second["meta_info"]["finish_reason"], Json::parse(R"({"type":"length","length":2})"));
  EXPECT_EQ(second["meta_info"]["completion_tokens"], 2);
  EXPECT_EQ(call.reply->closing(), "");
}

TEST(GenerateReply, ErrorsAreNative) {
  Call call = parse(R"({"text":"abc"})");
  EXPECT_EQ(call.reply->error_body(invalid_argument("too long")), R"({"error":{"message":"too long"}})");
}

}  // namespace
}  // namespace tessera::api
