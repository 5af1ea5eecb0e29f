#include "api/api_test_support.h"

namespace tessera::api {
namespace {

Call parse(const std::string& body) {
  auto call = parse_completion(body, test_card(), "id");
  EXPECT_TRUE(call) << call.error().message();
  return call ? std::move(*call) : Call{};
}

TEST(Completion, PromptForms) {
  EXPECT_EQ(text_of(parse(R"({"prompt":"abc"})").requests.at(0).prompt_ids), "abc");
  EXPECT_EQ(parse(R"({"prompt":[1,2,3]})").requests.at(0).prompt_ids, (std::vector<int32_t>{1, 2, 3}));
  const Call texts = parse(R"({"prompt":["a","bc"]})");
  ASSERT_EQ(texts.requests.size(), 2U);
  EXPECT_EQ(text_of(texts.requests[1].prompt_ids), "bc");
  const Call lists = parse(R"({"prompt":[[1],[2,3]]})");
  ASSERT_EQ(lists.requests.size(), 2U);
  EXPECT_EQ(lists.requests[1].prompt_ids, (std::vector<int32_t>{2, 3}));
}

TEST(Completion, SixteenTokensByDefaultOrWhatTheContextLeaves) {
  EXPECT_EQ(parse(R"({"prompt":"abc"})").requests.at(0).max_new_tokens, 16);
  EXPECT_EQ(parse(fmt::format(R"({{"prompt":"{}"}})", std::string(190, 'x'))).requests.at(0).max_new_tokens,
            10);
  EXPECT_EQ(parse(R"({"prompt":"abc","max_tokens":0})").requests.at(0).max_new_tokens, 0);
}

TEST(Completion, TextFarBeyondTheContextIsRefusedByItsBeginning) {
  // 200 tokens of context, a token a byte: the first 1,600 bytes (here within a two-byte character) suffice.
  std::string text(1599, 'x');
  for (int i = 0; i < 1000; ++i)
    text += "\xC3\xA4";
  expect_refused(parse_completion, fmt::format(R"({{"prompt":"{}"}})", text), ErrorCode::kInvalidArgument,
                 "3599 bytes of text are over 1599 tokens, expected at most the context length of 200");
}

TEST(Completion, AcceptsWhatTheBenchmarkSends) {
  parse(R"({"model":"tiny","prompt":"abc","temperature":0.0,"best_of":1,"max_tokens":8,"stream":true,
            "ignore_eos":true,"logprobs":null,"echo":false,"stop":""})");
}

TEST(Completion, Refusals) {
  const auto wrong = [](const std::string& body, std::string_view part) {
    expect_refused(parse_completion, body, ErrorCode::kInvalidArgument, part);
  };
  wrong("{}", "prompt");
  wrong(R"({"prompt":""})", "no tokens");
  wrong(R"({"prompt":[]})", "no tokens");
  wrong(R"({"prompt":5})", "prompt");
  wrong(R"({"prompt":["a",5]})", "prompt[1]");
  wrong(R"({"prompt":[1,"a"]})", "prompt");
  wrong(R"({"prompt":[1,258]})", "258");
  wrong(R"({"prompt":[-1]})", "-1");
  wrong(R"({"prompt":["a",""]})", "no tokens");
  wrong(fmt::format(R"({{"prompt":"{}"}})", std::string(200, 'x')), "200");
  std::string many = R"({"prompt":["a")";
  for (int index = 0; index < 256; ++index)
    many += R"(,"a")";
  wrong(many + "]}", "257");
  wrong(R"({"prompt":"a","n":0})", "n");
  wrong(R"({"prompt":"a","n":257})", "n");
  wrong(R"({"prompt":"a","n":3,"best_of":2})", "best_of");
  wrong(R"({"prompt":"a","best_of":2,"stream":true})", "best_of");
  wrong(R"({"prompt":"a","logprobs":21})", "logprobs");
  wrong(R"({"prompt":"a","logit_bias":{"x":1}})", "logit_bias");
  wrong(R"({"prompt":"a","logit_bias":{"300":1}})", "300");
  wrong(R"({"prompt":"a","logit_bias":{"65":101}})", "101");
  wrong(R"({"prompt":"a","frequency_penalty":-2.5})", "frequency_penalty");
  for (const char* field : {R"("suffix":"x")", R"("response_format":{"type":"json_object"})"}) {
    expect_refused(parse_completion, fmt::format(R"({{"prompt":"a",{}}})", field), ErrorCode::kUnsupported,
                   "not supported");
  }
}

TEST(CompletionReply, TextAndFinishShareAChunk) {
  Call call = parse(R"({"prompt":"abc","stream":true})");
  EXPECT_EQ(call.reply->opening(), "");
  EXPECT_EQ(call.reply->piece(0, output("", {5}, 1)), "");
  const auto events = events_of(call.reply->piece(0, finished(output("x", {5}, 1), stopped_at("END"))));
  ASSERT_EQ(events.size(), 1U);
  const Json chunk = Json::parse(events[0]);
  EXPECT_EQ(chunk["object"], "text_completion");
  EXPECT_EQ(chunk["id"], "cmpl-id");
  ASSERT_EQ(chunk["choices"].size(), 1U);
  EXPECT_EQ(chunk["choices"][0]["text"], "x");
  EXPECT_EQ(chunk["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(chunk["choices"][0]["matched_stop"], "END");
  EXPECT_EQ(call.reply->closing(), "");
}

TEST(CompletionReply, SeveralPromptsAreIndexed) {
  Call call = parse(R"({"prompt":["a","b"]})");
  const std::vector<engine::Output> answers = {finished(output("x", {1}, 1), out_of_length()),
                                               finished(output("y", {2, 3}, 2), out_of_length())};
  const Json body = Json::parse(call.reply->whole(answers));
  ASSERT_EQ(body["choices"].size(), 2U);
  EXPECT_EQ(body["choices"][1]["index"], 1);
  EXPECT_EQ(body["choices"][1]["text"], "y");
  EXPECT_EQ(body["usage"]["prompt_tokens"], 14);
  EXPECT_EQ(body["usage"]["completion_tokens"], 3);
}

engine::Output with_logprob(engine::Output answer, int32_t token, float logprob) {
  answer.logprobs = {{.token = {token, logprob}, .top = {{'z', -0.5F}}, .chosen = {}}};
  return answer;
}

TEST(CompletionReply, EchoAndLogprobs) {
  Call call = parse(R"({"prompt":["ab",[99]],"echo":true,"logprobs":1,"max_tokens":1})");
  EXPECT_EQ(call.requests.at(0).prompt_logprobs_from, 0);
  std::vector<engine::Output> answers = {
      with_logprob(finished(output("x", {'x'}, 1), out_of_length()), 'x', -1.5F),
      with_logprob(finished(output("y", {'y'}, 1), out_of_length()), 'y', -2.5F)};
  answers[0].prompt_logprobs = {{.token = {'b', -3.0F}, .top = {}, .chosen = {}}};
  const Json choices = Json::parse(call.reply->whole(answers))["choices"];
  EXPECT_EQ(choices[0]["text"], "abx");
  EXPECT_EQ(choices[0]["logprobs"]["tokens"], Json::parse(R"(["a","b","x"])"));
  EXPECT_EQ(choices[0]["logprobs"]["token_logprobs"], Json::parse("[null,-3.0,-1.5]"));
  EXPECT_EQ(choices[0]["logprobs"]["top_logprobs"], Json::parse(R"([null,null,{"z":-0.5,"x":-1.5}])"));
  EXPECT_EQ(choices[0]["logprobs"]["text_offset"], Json::parse("[0,1,2]"));
  EXPECT_EQ(choices[1]["text"], "cy") << "ids are echoed as text";
}

TEST(CompletionReply, EchoOpensTheStream) {
  Call call = parse(R"({"prompt":"ab","echo":true,"stream":true})");
  EXPECT_EQ(Json::parse(events_of(call.reply->piece(0, output("x", {1}, 1))).at(0))["choices"][0]["text"],
            "abx");
  EXPECT_EQ(Json::parse(events_of(call.reply->piece(0, output("y", {1}, 2))).at(0))["choices"][0]["text"],
            "y");
}

TEST(CompletionReply, TheBestOfSeveral) {
  Call call = parse(R"({"prompt":["a","b"],"n":1,"best_of":2})");
  ASSERT_EQ(call.requests.size(), 4U);
  EXPECT_TRUE(call.requests[0].logprobs) << "to compare by";
  const auto answer = [](const char* text, float logprob) {
    return with_logprob(finished(output(text, {1}, 1), out_of_length()), 1, logprob);
  };
  const Json body = Json::parse(
      call.reply->whole(std::vector{answer("p", -2), answer("q", -1), answer("r", -1), answer("s", -2)}));
  ASSERT_EQ(body["choices"].size(), 2U);
  EXPECT_EQ(body["choices"][0]["text"], "q");
  EXPECT_EQ(body["choices"][1]["text"], "r");
  EXPECT_EQ(body["choices"][1]["index"], 1);
  EXPECT_TRUE(body["choices"][0]["logprobs"].is_null()) << "not asked for";
  EXPECT_EQ(body["usage"]["prompt_tokens"], 14) << "each prompt once";
  EXPECT_EQ(body["usage"]["completion_tokens"], 4) << "every sample";
}

}  // namespace
}  // namespace tessera::api
