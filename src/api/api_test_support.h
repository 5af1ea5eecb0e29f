// What the API's tests share: a model card over a tokenizer of bytes and a small chat template, and ways to
// look into answers. Only tests include it.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "api/call.h"
#include "base/check.h"
#include "engine/byte_tokenizer.h"

namespace tessera::api {

inline constexpr std::string_view kTestTemplate =
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% if m.tool_calls %}{{ "
    "m.tool_calls[0].function.arguments | tojson }}{% endif %}{% endfor %}{% if add_generation_prompt "
    "%}<bot>{% "
    "endif %}"
    "{% if shout %}!{% endif %}{% if messages[0].content == 'refuse' %}{{ raise_exception('no thanks') }}{% "
    "endif %}";

inline const text::Tokenizer& test_tokenizer() {
  static const text::Tokenizer tokenizer = [] {
    auto made = text::Tokenizer::from_json(engine::byte_tokenizer_json());
    CHECK(made.has_value(), "{}", made.error().message());
    return std::move(*made);
  }();
  return tokenizer;
}

inline const text::ChatTemplate& test_template() {
  static const text::ChatTemplate chat_template = [] {
    auto made = text::ChatTemplate::compile(std::string(kTestTemplate), {});
    CHECK(made.has_value(), "{}", made.error().message());
    return std::move(*made);
  }();
  return chat_template;
}

inline ModelCard test_card(int32_t max_model_len = 200) {
  ModelCard card;
  card.id = "tiny";
  card.path = "/models/tiny";
  card.created = 1'700'000'000;
  card.max_model_len = max_model_len;
  card.vocab_size = engine::kByteVocab;
  card.tokenizer = &test_tokenizer();
  card.chat_template = &test_template();
  return card;
}

/// The text that prompt ids stand for under the tokenizer of bytes.
inline std::string text_of(const std::vector<int32_t>& ids) {
  std::string text;
  for (const int32_t id : ids)
    text += static_cast<char>(id);
  return text;
}

/// The data of each event of a stream's bytes.
inline std::vector<std::string> events_of(std::string_view stream) {
  std::vector<std::string> events;
  while (!stream.empty()) {
    const size_t end = stream.find("\n\n");
    EXPECT_TRUE(stream.starts_with("data: ") && end != stream.npos) << stream;
    if (end == stream.npos) break;
    events.emplace_back(stream.substr(6, end - 6));
    stream.remove_prefix(end + 2);
  }
  return events;
}

inline engine::Output output(std::string text, std::vector<int32_t> ids, int32_t completion_tokens) {
  return {.text = std::move(text),
          .ids = std::move(ids),
          .prompt_tokens = 7,
          .completion_tokens = completion_tokens,
          .cached_tokens = 0,
          .finish = {}};
}

inline engine::Output finished(engine::Output last, engine::FinishReason reason) {
  last.finish = std::move(reason);
  return last;
}

inline engine::FinishReason stopped_at(std::string stop) {
  return {.kind = engine::FinishReason::Kind::kStop, .matched = std::move(stop), .error = {}};
}
inline engine::FinishReason stopped_at(int32_t token) {
  return {.kind = engine::FinishReason::Kind::kStop, .matched = token, .error = {}};
}
inline engine::FinishReason out_of_length() {
  return {.kind = engine::FinishReason::Kind::kLength, .matched = {}, .error = {}};
}

using Parser = Result<Call> (*)(std::string_view, const ModelCard&, std::string_view);

/// Expects `body` to be refused with `code` and a message that has `part` in it.
inline void expect_refused(Parser parse, const std::string& body, ErrorCode code, std::string_view part) {
  const auto call = parse(body, test_card(), "id");
  ASSERT_FALSE(call) << "accepted: " << body.substr(0, 300);
  EXPECT_EQ(call.error().code(), code) << call.error().message() << "\nfor " << body.substr(0, 300);
  EXPECT_NE(call.error().message().find(part), std::string::npos)
      << "got \"" << call.error().message() << "\", expected it to name \"" << part << "\"";
}

}  // namespace tessera::api
