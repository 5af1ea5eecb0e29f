#include "api/api_test_support.h"

namespace tessera::api {
namespace {

std::string chat(std::string_view fields, std::string_view messages = R"([{"role":"user","content":"Hi"}])") {
  return fmt::format(R"({{"messages":{}{}{}}})", messages, fields.empty() ? "" : ",", fields);
}

Call parse(const std::string& body, const ModelCard& card = test_card()) {
  auto call = parse_chat(body, card, "id");
  EXPECT_TRUE(call) << call.error().message();
  return call ? std::move(*call) : Call{};
}

std::string prompt(const std::string& messages, std::string_view fields = "") {
  const Call call = parse(chat(fields, messages));
  return call.requests.empty() ? "" : text_of(call.requests[0].prompt_ids);
}

TEST(Chat, RendersTheTemplate) {
  EXPECT_EQ(prompt(R"([{"role":"system","content":"S"},{"role":"user","content":"Hé"}])"),
            "<system>S<user>Hé<bot>");
  EXPECT_EQ(prompt(R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}])"),
            "<user>a b<bot>");
  EXPECT_EQ(prompt(R"([{"role":"user","content":"x"},{"role":"assistant","content":null}])"),
            "<user>x<assistant><bot>");
  EXPECT_EQ(prompt(R"([{"role":"user","content":"x"}])", R"("chat_template_kwargs":{"shout":true})"),
            "<user>x<bot>!");
}

TEST(Chat, EarlierToolCallsKeepTheOrderOfTheirArguments) {
  EXPECT_EQ(prompt(R"([{"role":"assistant","content":null,
                        "tool_calls":[{"function":{"name":"f","arguments":"{\"b\":1,\"a\":2}"}}]}])"),
            R"(<assistant>{"b": 1, "a": 2}<bot>)");
}

TEST(Chat, DefaultsAreSglangs) {
  const Call call = parse(chat(""));
  const engine::Request& request = call.requests.at(0);
  EXPECT_FALSE(call.stream);
  EXPECT_FLOAT_EQ(request.sampling.temperature, 1.0F);
  EXPECT_EQ(request.sampling.top_k, -1);
  EXPECT_EQ(request.max_new_tokens, 200 - static_cast<int32_t>(request.prompt_ids.size()))
      << "the context left";
  EXPECT_TRUE(request.skip_special_tokens);
  EXPECT_FALSE(request.sampling.seed);
}

TEST(Chat, ReadsEveryField) {
  const Call call = parse(chat(
      R"("model":"tiny","temperature":0.5,"top_p":0.25,"top_k":7,"min_p":0.125,"seed":-3,"max_tokens":9,"stop":["a","b"],
         "stop_token_ids":[1,2],"ignore_eos":true,"skip_special_tokens":false,"no_stop_trim":true,"stream":true)"));
  const engine::Request& request = call.requests.at(0);
  EXPECT_TRUE(call.stream);
  EXPECT_FLOAT_EQ(request.sampling.temperature, 0.5F);
  EXPECT_FLOAT_EQ(request.sampling.top_p, 0.25F);
  EXPECT_EQ(request.sampling.top_k, 7);
  EXPECT_FLOAT_EQ(request.sampling.min_p, 0.125F);
  EXPECT_EQ(request.sampling.seed, static_cast<uint64_t>(-3));
  EXPECT_EQ(request.max_new_tokens, 9);
  EXPECT_EQ(request.stop, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(request.stop_token_ids, (std::vector<int32_t>{1, 2}));
  EXPECT_TRUE(request.ignore_eos);
  EXPECT_FALSE(request.skip_special_tokens);
  EXPECT_TRUE(request.keep_stop);
  EXPECT_EQ(parse(chat(R"("max_completion_tokens":5,"max_tokens":9)")).requests.at(0).max_new_tokens, 5);
}

TEST(Chat, NullAndNeutralAndUnknownFieldsAreFine) {
  parse(chat(
      R"("temperature":null,"stop":null,"tools":null,"response_format":null,"n":1,"logprobs":false,"top_logprobs":0,
         "frequency_penalty":0,"presence_penalty":0.0,"repetition_penalty":1.0,"logit_bias":{},"user":"u",
         "regex":null,"stream_options":null,"something_new":[1],"max_tokens":16.0)"));
  parse(chat(R"("tools":[],"response_format":{"type":"text"},"logprobs":null)"));
}

TEST(Chat, GenerationConfigGivesDefaults) {
  ModelCard card = test_card();
  card.defaults = *parse_sampling_defaults(Json::parse(R"({"temperature":0.2,"top_k":0,"top_p":0.9})"));
  EXPECT_FLOAT_EQ(parse(chat(""), card).requests.at(0).sampling.temperature, 0.2F);
  EXPECT_FLOAT_EQ(parse(chat(R"("temperature":0.7)"), card).requests.at(0).sampling.temperature, 0.7F);
  EXPECT_EQ(parse(chat(""), card).requests.at(0).sampling.top_k, -1)
      << "0 means all in generation_config.json";
  EXPECT_FALSE(parse_sampling_defaults(Json::parse(R"({"temperature":"hot"})")));
}

TEST(Chat, RefusesWhatIsWrong) {
  const auto wrong = [](const std::string& body, std::string_view part) {
    expect_refused(parse_chat, body, ErrorCode::kInvalidArgument, part);
  };
  wrong("", "request body");
  wrong("{", "request body");
  wrong("[]", "object");
  wrong(R"({"messages":[{"role":"user","content":"a"}],"messages":[]})", "messages");
  wrong(std::string(100, '[') + std::string(100, ']'), "request body");
  wrong("{}", "messages");
  wrong(R"({"messages":[]})", "messages");
  wrong(R"({"messages":"hi"})", "messages");
  wrong(chat("", R"(["hi"])"), "messages[0]");
  wrong(chat("", R"([{"role":"user","content":"a"},{"role":"king","content":"x"}])"), "messages[1].role");
  wrong(chat("", R"([{"content":"x"}])"), "messages[0].role");
  wrong(chat("", R"([{"role":"user"}])"), "messages[0].content");
  wrong(chat("", R"([{"role":"user","content":5}])"), "messages[0].content");
  wrong(chat("", R"([{"role":"user","content":[{"type":"text"}]}])"), "messages[0].content[0].text");
  wrong(chat("", R"([{"role":"assistant","tool_calls":[{"function":{"arguments":"{bad"}}]}])"), "tool_calls");
  wrong(chat("", R"([{"role":"user","content":"refuse"}])"), "no thanks");
  wrong(chat(R"("model":"gpt-4")"), "\"gpt-4\" does not exist");
  wrong(chat(R"("model":5)"), "model");
  wrong(chat(R"("temperature":"hot")"), "temperature");
  wrong(chat(R"("temperature":-1)"), "temperature");
  wrong(chat(R"("top_p":0)"), "top_p");
  wrong(chat(R"("top_p":1.5)"), "top_p");
  wrong(chat(R"("top_k":0)"), "top_k");
  wrong(chat(R"("top_k":2.5)"), "top_k");
  wrong(chat(R"("min_p":2)"), "min_p");
  wrong(chat(R"("max_tokens":-1)"), "max_tokens");
  wrong(chat(R"("max_tokens":99999999999999999999)"), "max_tokens");
  wrong(chat(R"("max_tokens":"many")"), "max_tokens");
  wrong(chat(R"("stop":5)"), "stop");
  wrong(chat(R"("stop":["a",5])"), "stop");
  wrong(chat(R"("stop_token_ids":["a"])"), "stop_token_ids");
  wrong(chat(R"("stream":"yes")"), "stream");
  wrong(chat(R"("stream_options":{"include_usage":true})"), "stream_options");
  wrong(chat(R"("chat_template_kwargs":[])"), "chat_template_kwargs");
  wrong(chat(fmt::format(R"("stop":"{}")", std::string(2000, 'x'))), "stop");
  wrong(chat(R"("n":0)"), "n is 0");
  wrong(chat(R"("n":1000000000)"), "n is 1000000000");
  wrong(chat(R"("logprobs":5)"), "logprobs");
  wrong(chat(R"("top_logprobs":3)"), "top_logprobs");
  wrong(chat(R"("logprobs":true,"top_logprobs":21)"), "top_logprobs");
  wrong(chat(R"("repetition_penalty":0)"), "repetition_penalty");
  wrong(chat(R"("logit_bias":[1])"), "logit_bias");
}

TEST(Chat, RefusesWhatIsNotSupportedInsteadOfIgnoringIt) {
  for (const char* fields :
       {R"("tools":[{"type":"function"}])", R"("response_format":{"type":"json_object"})",
        R"("json_schema":"{}")", R"("regex":"a+")", R"("ebnf":"x")", R"("structural_tag":"x")",
        R"("functions":[{}])", R"("continue_final_message":true)"}) {
    const std::string name(std::string_view(fields).substr(1, std::string_view(fields).find('"', 1) - 1));
    expect_refused(parse_chat, chat(fields), ErrorCode::kUnsupported, name);
  }
  expect_refused(parse_chat, chat("", R"([{"role":"user","content":[{"type":"image_url","image_url":{}}]}])"),
                 ErrorCode::kUnsupported, "image_url");
}

TEST(Chat, PromptsThatDoNotFitNameBothNumbers) {
  const std::string text(300, 'x');
  const std::string body = chat("", fmt::format(R"([{{"role":"user","content":"{}"}}])", text));
  expect_refused(parse_chat, body, ErrorCode::kInvalidArgument, "311 tokens");
  expect_refused(parse_chat, body, ErrorCode::kInvalidArgument, "200");
  expect_refused(parse_chat, chat(R"("max_tokens":195)"), ErrorCode::kInvalidArgument, "208");
}

TEST(Chat, NeedsATemplate) {
  ModelCard card = test_card();
  card.chat_template = nullptr;
  const auto call = parse_chat(chat(""), card, "id");
  ASSERT_FALSE(call);
  EXPECT_EQ(call.error().code(), ErrorCode::kUnsupported);
}

TEST(ChatReply, Whole) {
  Call call = parse(chat(""));
  const auto answer = finished(output("Hello", {1, 2}, 3), stopped_at(256));
  const Json body = Json::parse(call.reply->whole({&answer, 1}));
  EXPECT_EQ(body["id"], "chatcmpl-id");
  EXPECT_EQ(body["object"], "chat.completion");
  EXPECT_EQ(body["model"], "tiny");
  ASSERT_EQ(body["choices"].size(), 1U);
  const Json& choice = body["choices"][0];
  EXPECT_EQ(choice["message"]["role"], "assistant");
  EXPECT_EQ(choice["message"]["content"], "Hello");
  EXPECT_EQ(choice["finish_reason"], "stop");
  EXPECT_EQ(choice["matched_stop"], 256);
  EXPECT_EQ(body["usage"]["prompt_tokens"], 7);
  EXPECT_EQ(body["usage"]["completion_tokens"], 3);
  EXPECT_EQ(body["usage"]["total_tokens"], 10);
}

TEST(ChatReply, SeveralAnswersWithLogprobs) {
  Call call = parse(chat(R"("n":2,"seed":4,"logprobs":true,"top_logprobs":1,"min_tokens":2,"rid":"mine")"));
  ASSERT_EQ(call.requests.size(), 2U);
  EXPECT_EQ(call.requests[1].sampling.seed, 5U);
  EXPECT_EQ(call.requests[1].sampling.min_new_tokens, 2);
  EXPECT_EQ(call.rids, (std::vector<std::string>{"mine", "mine"}));
  EXPECT_EQ(events_of(call.reply->opening()).size(), 2U) << "a role for each answer";
  auto first = finished(output("h", {'h'}, 1), out_of_length());
  first.logprobs = {{.token = {'h', -0.5F}, .top = {{0xC3, -0.25F}}, .chosen = {}}};
  const Json body = Json::parse(call.reply->whole(std::vector{first, first}));
  EXPECT_EQ(body["id"], "mine");
  EXPECT_EQ(body["choices"][1]["index"], 1);
  const Json& token = body["choices"][0]["logprobs"]["content"][0];
  EXPECT_EQ(token["token"], "h");
  EXPECT_EQ(token["bytes"], Json::parse("[104]"));
  EXPECT_EQ(token["logprob"], -0.5);
  EXPECT_TRUE(token["top_logprobs"][0]["bytes"].is_null()) << "half a character";
  EXPECT_EQ(body["usage"]["prompt_tokens"], 7) << "the prompt is counted once";
  EXPECT_EQ(body["usage"]["prompt_tokens_details"]["cached_tokens"], 0);

  auto open = output("", {0xC3}, 1);
  open.logprobs = first.logprobs;
  const auto events = events_of(call.reply->piece(1, open));
  ASSERT_EQ(events.size(), 1U) << "log-probabilities are told when they come";
  EXPECT_EQ(Json::parse(events[0])["choices"][0]["index"], 1);
  EXPECT_EQ(Json::parse(events[0])["choices"][0]["logprobs"]["content"].size(), 1U);
}

TEST(ChatReply, Stream) {
  Call call = parse(chat(R"("stream":true,"stream_options":{"include_usage":true})"));
  const auto opening = events_of(call.reply->opening());
  ASSERT_EQ(opening.size(), 1U);
  const Json first = Json::parse(opening[0]);
  EXPECT_EQ(first["object"], "chat.completion.chunk");
  EXPECT_EQ(first["choices"][0]["delta"], Json::parse(R"({"role":"assistant","content":""})"));
  EXPECT_TRUE(first["choices"][0]["finish_reason"].is_null());

  EXPECT_EQ(call.reply->piece(0, output("", {5}, 1)), "") << "nothing to say while a character is open";
  const auto content = events_of(call.reply->piece(0, output("é", {5, 6}, 2)));
  ASSERT_EQ(content.size(), 1U);
  EXPECT_EQ(Json::parse(content[0])["choices"][0]["delta"], Json::parse(R"({"content":"é"})"));

  const auto last = events_of(call.reply->piece(0, finished(output("!", {7}, 3), out_of_length())));
  ASSERT_EQ(last.size(), 2U) << "the finish reason has a chunk of its own";
  EXPECT_EQ(Json::parse(last[0])["choices"][0]["delta"]["content"], "!");
  EXPECT_EQ(Json::parse(last[1])["choices"][0]["delta"], Json::object());
  EXPECT_EQ(Json::parse(last[1])["choices"][0]["finish_reason"], "length");

  const auto usage = events_of(call.reply->closing());
  ASSERT_EQ(usage.size(), 1U);
  EXPECT_EQ(Json::parse(usage[0])["choices"], Json::array());
  EXPECT_EQ(Json::parse(usage[0])["usage"]["total_tokens"], 10);
}

TEST(ChatReply, NoUsageUnlessAskedFor) {
  Call call = parse(chat(R"("stream":true)"));
  EXPECT_EQ(call.reply->closing(), "");
  EXPECT_FALSE(Json::parse(events_of(call.reply->opening()).at(0)).contains("usage"));
  Call continuous = parse(chat(R"("stream":true,"stream_options":{"continuous_usage_stats":true})"));
  EXPECT_TRUE(Json::parse(events_of(continuous.reply->opening()).at(0)).contains("usage"));
}

TEST(ChatReply, FailureWithinAStream) {
  Call call = parse(chat(R"("stream":true)"));
  const auto events = events_of(call.reply->failure(unavailable("the server is shutting down")));
  EXPECT_EQ(Json::parse(events.at(0))["error"]["message"], "the server is shutting down");
  EXPECT_EQ(Json::parse(events.at(0))["error"]["code"], 503);
}

}  // namespace
}  // namespace tessera::api
