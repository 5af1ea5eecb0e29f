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
  wrong(R"({"text":[5]})", "text");
  wrong(R"({"text":["a",[5]]})", "text");
  wrong(R"({"input_ids":["a"]})", "input_ids");
  wrong(R"({"input_ids":[[1],"a"]})", "input_ids");
  wrong(R"({"input_ids":"a"})", "input_ids");
  wrong(R"({"input_ids":[1.5]})", "1.5");
  wrong(R"({"input_ids":[1000]})", "1000");
  wrong(R"({"text":"a","sampling_params":5})", "sampling_params");
  wrong(R"({"text":"a","sampling_params":[{},{}]})", "sampling_params");
  wrong(R"({"text":"a","sampling_params":{"temperature":"x"}})", "sampling_params.temperature");
  wrong(R"({"text":"a","sampling_params":{"max_new_tokens":-1}})", "max_new_tokens");
  wrong(R"({"text":["a","b"],"rid":["one"]})", "rid");
  wrong(R"({"text":"a","return_logprob":1})", "return_logprob");
  wrong(R"({"text":"a","return_logprob":true,"logprob_start_len":2})", "logprob_start_len");
  wrong(R"({"text":"a","return_logprob":true,"top_logprobs_num":1000000})", "top_logprobs_num");
  wrong(R"({"text":"a","return_logprob":true,"token_ids_logprob":[258]})", "258");
  wrong(R"({"text":["a","b"],"return_logprob":[true]})", "return_logprob");
  wrong(R"({"text":"a","sampling_params":{"n":0}})", "sampling_params.n");
  wrong(R"({"text":"a","sampling_params":{"n":1000000000}})", "sampling_params.n");
  wrong(R"({"text":["a","b"],"sampling_params":{"n":129}})", "sampling_params.n");
  wrong(R"({"text":"a","sampling_params":{"presence_penalty":3}})", "presence_penalty");
  wrong(R"({"text":"a","sampling_params":{"min_new_tokens":-1}})", "min_new_tokens");
  for (const char* field : {R"("image_data":"x")", R"("lora_path":"x")", R"("input_embeds":[[0.5]])"}) {
    expect_refused(parse_generate, fmt::format(R"({{"text":"a",{}}})", field), ErrorCode::kUnsupported,
                   "not supported");
  }
  for (const char* field : {R"("json_schema":"{}")", R"("regex":"a")", R"("ebnf":"a")"}) {
    expect_refused(parse_generate, fmt::format(R"({{"text":"a","sampling_params":{{{}}}}})", field),
                   ErrorCode::kUnsupported, "not supported");
  }
}

TEST(Generate, ParametersOfTheDraw) {
  const Call call = parse(R"({"text":"a","sampling_params":{"frequency_penalty":0.5,"presence_penalty":-1,
                "repetition_penalty":1.5,"min_new_tokens":3,"logit_bias":{"65":-100,"66":2.5}}})");
  const sampling::SamplingParams& sampling = call.requests.at(0).sampling;
  EXPECT_EQ(sampling.frequency_penalty, 0.5F);
  EXPECT_EQ(sampling.presence_penalty, -1.0F);
  EXPECT_EQ(sampling.repetition_penalty, 1.5F);
  EXPECT_EQ(sampling.min_new_tokens, 3);
  EXPECT_EQ(sampling.logit_bias, (std::vector<std::pair<int32_t, float>>{{65, -100.0F}, {66, 2.5F}}));
}

TEST(Generate, StopExpressions) {
  EXPECT_EQ(parse(R"({"text":"a","sampling_params":{"stop_regex":"\\d+"}})").requests.at(0).stop_regex,
            std::vector<std::string>{"\\d+"});
  EXPECT_EQ(
      parse(R"({"text":"a","sampling_params":{"stop_regex":["a","b"]}})").requests.at(0).stop_regex.size(),
      2U);
  expect_refused(parse_generate, R"({"text":"a","sampling_params":{"stop_regex":"a("}})",
                 ErrorCode::kInvalidArgument, "a ( without its )");
}

TEST(Generate, SamplesOfEachPrompt) {
  const Call call =
      parse(R"({"text":["a","b"],"rid":"r","sampling_params":[{"n":2,"sampling_seed":7},{"n":1}]})");
  ASSERT_EQ(call.requests.size(), 3U);
  EXPECT_EQ(text_of(call.requests[1].prompt_ids), "a");
  EXPECT_EQ(text_of(call.requests[2].prompt_ids), "b");
  EXPECT_EQ(call.requests[0].sampling.seed, 7U);
  EXPECT_EQ(call.requests[1].sampling.seed, 8U) << "two samples differ";
  EXPECT_EQ(call.rids, (std::vector<std::string>{"r_0", "r_0", "r_1"}));
  const auto answer = finished(output("x", {1}, 1), out_of_length());
  const Json body = Json::parse(call.reply->whole(std::vector{answer, answer, answer}));
  EXPECT_EQ(body[1]["meta_info"]["id"], "r_0_1");
  EXPECT_EQ(body[2]["meta_info"]["id"], "r_1");
}

TEST(Generate, LogprobsOfEachPrompt) {
  const Call call = parse(
      R"({"text":["abc","de"],"return_logprob":[true,false],"logprob_start_len":[1,-1],
          "top_logprobs_num":2,"token_ids_logprob":[[97],[98]]})");
  ASSERT_TRUE(call.requests[0].logprobs);
  EXPECT_EQ(call.requests[0].logprobs->top, 2);
  EXPECT_EQ(call.requests[0].logprobs->tokens, std::vector<int32_t>{97});
  EXPECT_EQ(call.requests[0].prompt_logprobs_from, 2);
  EXPECT_FALSE(call.requests[1].logprobs);
  EXPECT_EQ(parse(R"({"text":"abc","return_logprob":true})").requests[0].prompt_logprobs_from, -1);
}

TEST(GenerateReply, Logprobs) {
  Call call = parse(R"({"text":"abc","return_logprob":true,"logprob_start_len":0,"top_logprobs_num":1,
                        "return_text_in_logprobs":true})");
  auto answer = finished(output("d", {'d'}, 1), out_of_length());
  answer.prompt_logprobs = {{.token = {'b', -1.0F}, .top = {{'x', -0.5F}}, .chosen = {}},
                            {.token = {'c', -2.0F}, .top = {{'c', -2.0F}}, .chosen = {}}};
  answer.logprobs = {{.token = {'d', -0.25F}, .top = {{'d', -0.25F}}, .chosen = {}}};
  const Json meta = Json::parse(call.reply->whole({&answer, 1}))["meta_info"];
  EXPECT_EQ(meta["input_token_logprobs"], Json::parse(R"([[null,97,"a"],[-1.0,98,"b"],[-2.0,99,"c"]])"));
  EXPECT_EQ(meta["input_top_logprobs"], Json::parse(R"([null,[[-0.5,120,"x"]],[[-2.0,99,"c"]]])"));
  EXPECT_EQ(meta["output_token_logprobs"], Json::parse(R"([[-0.25,100,"d"]])"));
  EXPECT_EQ(meta["output_top_logprobs"], Json::parse(R"([[[-0.25,100,"d"]]])"));
  EXPECT_FALSE(meta.contains("output_token_ids_logprobs"));
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
