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
  for (const char* field : {R"("echo":true)", R"("best_of":2)", R"("suffix":"x")", R"("logprobs":5)"}) {
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

}  // namespace
}  // namespace tessera::api
