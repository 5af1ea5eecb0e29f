// Answers as servers send them, cut at every byte; and what no server should send.
#include "bench/serving/answer.h"

#include <gtest/gtest.h>

#include "bench/serving/json_scan.h"

namespace tessera::bench::serving {
namespace {

constexpr std::string_view kGenerate =
    "data: {\"text\": \"\", \"meta_info\": {\"completion_tokens\": 0}}\n\n"
    "data: {\"text\": \"a \\\"tile\\\\\", \"meta_info\": {\"id\": \"}]\", \"completion_tokens\": 1}}\n\n"
    ": still here\n\n"
    "data: {\"text\": \"a \\\"tile\\\\\", \"meta_info\": {\"completion_tokens\": 1}}\r\n\r\n"
    "event: message\ndata:{\"text\": \"a \\\"tile\\\\ of \\u00e9\", \"meta_info\": {\"completion_tokens\": "
    "4}}\n\n"
    "data: [DONE]\n\n";
constexpr std::string_view kCompletions =
    "data: {\"choices\": [{\"index\": 0, \"text\": \"a\"}], \"usage\": null}\n\n"
    "data: {\"choices\": [{\"index\": 0, \"text\": \" tile\"}]}\n\n"
    "data: {\"choices\": [{\"index\": 0, \"text\": \"\", \"finish_reason\": \"length\"}]}\n\n"
    "data: {\"choices\": [], \"usage\": {\"completion_tokens\": 5}}\n\n"
    "data: [DONE]\n\n";
constexpr std::string_view kChat =
    "data: {\"choices\": [{\"delta\": {\"role\": \"assistant\", \"content\": null}}]}\n\n"
    "data: {\"choices\": [{\"delta\": {\"content\": \"a\"}}]}\n\n"
    "data: {\"choices\": [{\"delta\": {\"content\": \" tile\"}, \"finish_reason\": \"stop\"}]}\n\n"
    "data: [DONE]";  // and no end of the line

/// Sent at 10 s: the bytes before `cut` arrive at 11 s, the others at 13 s.
Outcome read_in_two(Protocol protocol, std::string_view bytes, size_t cut) {
  AnswerReader reader(protocol, true, 7, 10);
  EXPECT_TRUE(reader.receive(bytes.substr(0, cut), 11));
  EXPECT_TRUE(reader.receive(bytes.substr(cut), 13));
  return std::move(reader).finish(13);
}

/// Behind the end of the line in which `what` is found last.
size_t line_end(std::string_view bytes, std::string_view what) {
  return bytes.find('\n', bytes.find(what)) + 1;
}

TEST(Answer, GenerateCutAtEveryByte) {
  const size_t first = line_end(kGenerate, "tile"), second = line_end(kGenerate, "u00e9");
  for (size_t cut = 0; cut <= kGenerate.size(); ++cut) {
    const Outcome outcome = read_in_two(Protocol::kGenerate, kGenerate, cut);
    ASSERT_TRUE(outcome.success) << cut << ": " << outcome.error;
    EXPECT_EQ(outcome.text, "a \"tile\\ of é") << cut;
    EXPECT_EQ(outcome.output_tokens, 4) << cut;
    EXPECT_EQ(outcome.ttft_s, cut >= first ? 1 : 3) << cut;
    EXPECT_EQ(outcome.latency_s, cut >= line_end(kGenerate, "DONE") ? 1 : 3) << cut;
    const double gap = cut >= first && cut < second ? 2.0 / 3 : 0;
    EXPECT_EQ(outcome.itls_s, std::vector<double>(3, gap)) << cut;
  }
}

TEST(Answer, OpenAiCutAtEveryByte) {
  struct Case {
    Protocol protocol;
    std::string_view bytes;
    int64_t tokens;
  };
  for (const Case& one : {Case{Protocol::kCompletions, kCompletions, 5}, Case{Protocol::kChat, kChat, 7}}) {
    for (size_t cut = 0; cut <= one.bytes.size(); ++cut) {
      const Outcome outcome = read_in_two(one.protocol, one.bytes, cut);
      ASSERT_TRUE(outcome.success) << cut << ": " << outcome.error;
      EXPECT_EQ(outcome.text, "a tile") << cut;
      EXPECT_EQ(outcome.chunks, std::vector<std::string>{" tile"}) << cut;
      EXPECT_EQ(outcome.output_tokens, one.tokens) << cut;
      EXPECT_EQ(outcome.itls_s.size(), 1U) << cut;
      EXPECT_EQ(outcome.ttft_s, cut >= line_end(one.bytes, "\"a\"") ? 1 : 3) << cut;
    }
  }
}

TEST(Answer, Whole) {
  AnswerReader generate(Protocol::kGenerate, false, 7, 10);
  EXPECT_TRUE(generate.receive("{\"text\": \"a tile\",\n \"meta_in", 11));
  EXPECT_TRUE(generate.receive("fo\": {\"completion_tokens\": 2}}\n", 12));
  const Outcome outcome = std::move(generate).finish(12);
  EXPECT_TRUE(outcome.success) << outcome.error;
  EXPECT_EQ(outcome.text, "a tile");
  EXPECT_EQ(outcome.output_tokens, 2);
  EXPECT_EQ(outcome.ttft_s, 2);
  EXPECT_EQ(outcome.latency_s, 2);

  AnswerReader chat(Protocol::kChat, false, 7, 10);
  EXPECT_TRUE(chat.receive(
      "{\"choices\": [{\"message\": {\"content\": \"a tile\"}}], \"usage\": {\"completion_tokens\": 3}}",
      11));
  const Outcome answered = std::move(chat).finish(11);
  EXPECT_TRUE(answered.success) << answered.error;
  EXPECT_EQ(answered.text, "a tile");
  EXPECT_EQ(answered.output_tokens, 3);
}

TEST(Answer, NonsenseFailsAndSaysWhat) {
  struct Case {
    std::string_view bytes;
    std::string_view error;
  };
  for (const Case& one : {
           Case{"", "the stream ended without [DONE]"},
           Case{"data: {\"text\": \"a\", \"meta_info\": {\"completion_tokens\": 1}}\n\n", "without [DONE]"},
           Case{"data: {\"text\": \"a\"}\n\n", "completion_tokens is missing"},
           Case{"data: {\"text\": \"a\", \"meta_info\": {\"completion_tokens\": -1}}\n", "makes no sense"},
           Case{"data: {\"text\": \"a\", \"meta_info\": {\"completion_tokens\": 99999999}}\n",
                "makes no sense"},
           Case{"data: {\"text\": \"a\n", "not a JSON object"},
           Case{"data: hello\n", "not a JSON object"},
           Case{"data: {\"error\": {\"message\": \"out of pages\"}}\n\ndata: [DONE]\n\n", "out of pages"},
           Case{"data: {\"text\": \"\\ud800\", \"meta_info\": {\"completion_tokens\": 1}}\ndata: [DONE]\n",
                "not a string"},
       }) {
    AnswerReader reader(Protocol::kGenerate, true, 7, 10);
    reader.receive(one.bytes, 11);
    const Outcome outcome = std::move(reader).finish(11);
    EXPECT_FALSE(outcome.success) << one.bytes;
    EXPECT_NE(outcome.error.find(one.error), std::string::npos) << outcome.error << " for " << one.bytes;
  }
  AnswerReader chat(Protocol::kChat, true, 7, 10);
  EXPECT_FALSE(chat.receive("data: {\"error\": {\"message\": \"overloaded\"}}\n", 11));
  EXPECT_NE(std::move(chat).fail("broken off").error.find("overloaded"), std::string::npos);
}

TEST(JsonScan, FindsWhatAParserFinds) {
  const std::string text =
      R"( {"a" : "\\\"", "b":[1, {"c":"]}\"["}, []], "empty": {}, "n":-12,"t":true, "s" : "\u00e9\n" } )";
  const auto json = nlohmann::json::parse(text);
  size_t members = 0;
  EXPECT_TRUE(each_member(text, [&](std::string_view key, std::string_view value) {
    EXPECT_EQ(nlohmann::json::parse(value), json[std::string(key)]) << key;
    ++members;
    return true;
  }));
  EXPECT_EQ(members, json.size());
  EXPECT_EQ(member(member(R"({"x": {"y": "z"}})", "x"), "y"), "\"z\"");
  EXPECT_EQ(member(text, "absent"), "");
  EXPECT_EQ(member("[1]", "x"), "");
  EXPECT_EQ(first_element("[ {\"x\": 1}, 2]"), "{\"x\": 1}");
  EXPECT_EQ(first_element("[]"), "");
  EXPECT_EQ(string_value(member(text, "s")), "é\n");
  EXPECT_EQ(string_value("12"), std::nullopt);
  EXPECT_EQ(integer_value(member(text, "n")), -12);
  for (const char* number : {"", "1.5", "99999999999999999999", "1x", "\"1\""})
    EXPECT_EQ(integer_value(number), std::nullopt) << number;
}

TEST(JsonScan, WhatIsCutIsBroken) {
  const std::string text = R"({"a": "\\\"", "b": [1, {"c": "]}"}], "d": null})";
  const auto ignore = [](std::string_view, std::string_view) { return true; };
  EXPECT_TRUE(each_member(text, ignore));
  for (size_t size = 0; size < text.size(); ++size)
    EXPECT_FALSE(each_member(std::string(text.data(), size), ignore)) << size;
  for (const char* broken :
       {"{\"a\" 1}", "{\"a\": 1 \"b\": 2}", "{a: 1}", "{\"a\":,}", "{\"a\": ]}", "1", "\"{}\""})
    EXPECT_FALSE(each_member(broken, ignore)) << broken;
}

TEST(RequestBody, AsSglangWritesThem) {
  const Prompt prompt{.text = "Hi \"there\"", .input_tokens = 3, .output_tokens = 8};
  BodyOptions options{.model = "m"};
  EXPECT_EQ(
      request_body(Protocol::kGenerate, prompt, options),
      R"({"text":"Hi \"there\"","sampling_params":{"temperature":0.0,"max_new_tokens":8,"ignore_eos":true},)"
      R"("stream":true,"lora_path":null,"return_logprob":false,"logprob_start_len":-1})");
  EXPECT_EQ(
      request_body(Protocol::kCompletions, prompt, options),
      R"({"model":"m","prompt":"Hi \"there\"","temperature":0.0,"best_of":1,"max_tokens":8,"stream":true,"ignore_eos":true})");
  options.stream = options.ignore_eos = false;
  options.extra = {{"temperature", 0.5}, {"top_k", 2}, {"ignore_eos", nullptr}};
  EXPECT_EQ(request_body(Protocol::kChat, prompt, options),
            R"({"model":"m","messages":[{"role":"user","content":"Hi \"there\""}],"temperature":0.5,)"
            R"("max_completion_tokens":8,"stream":false,"top_k":2})");
  const Prompt ids{.text = {}, .ids = {1, 2}, .input_tokens = 2, .output_tokens = 8};
  EXPECT_TRUE(request_body(Protocol::kGenerate, ids, {}).starts_with(R"({"input_ids":[1,2],)"));
}

}  // namespace
}  // namespace tessera::bench::serving
