// What the engine's tests share: a client that checks the contract of outputs while it collects them, and the
// tokenizer.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/check.h"
#include "engine/byte_tokenizer.h"
#include "engine/fake_executor.h"
#include "engine/request.h"

namespace tessera::engine {

/// One request's outputs. `callback()` refers to this object, which must outlive the request.
struct Client {
  std::string text = {};
  std::vector<int32_t> ids = {};
  std::string logprobs = {};  // of prompt and answer, every bit of them
  std::vector<float> embedding = {};
  int32_t prompt_tokens = 0;
  int32_t cached_tokens = 0;
  int32_t retractions = 0;
  int pieces = 0;
  std::optional<FinishReason> finish = {};

  OutputCallback callback() {
    return [this](const Output& output) { take(output); };
  }

  void take(const Output& output) {
    EXPECT_FALSE(finish) << "an output after the last one";
    ++pieces;
    text += output.text;
    ids.insert(ids.end(), output.ids.begin(), output.ids.end());
    for (const auto* list : {&output.prompt_logprobs, &output.logprobs}) {
      for (const sampling::Logprobs& at : *list)
        logprobs += show(at);
    }
    embedding.insert(embedding.end(), output.embedding.begin(), output.embedding.end());
    prompt_tokens = output.prompt_tokens;
    cached_tokens = output.cached_tokens;
    retractions = output.retractions;
    finish = output.finish;
    EXPECT_EQ(output.completion_tokens, static_cast<int32_t>(ids.size()));
    EXPECT_TRUE(finish || !output.ids.empty()) << "an output without news";
  }

  static std::string show(const sampling::Logprobs& logprobs) {
    std::string text = fmt::format("{}:{:a}", logprobs.token.token, logprobs.token.logprob);
    for (const auto* list : {&logprobs.top, &logprobs.chosen}) {
      for (const sampling::TokenLogprob& one : *list)
        text += fmt::format(",{}:{:a}", one.token, one.logprob);
    }
    return text + ";";
  }

  bool stopped() const { return finish && finish->kind == FinishReason::Kind::kStop; }
  bool at_length() const { return finish && finish->kind == FinishReason::Kind::kLength; }
  bool aborted(ErrorCode code) const {
    return finish && finish->kind == FinishReason::Kind::kAbort && finish->error &&
           finish->error->code() == code;
  }
  /// The matched stop string or token as text, for messages of failed tests too.
  std::string matched() const {
    if (!finish) return "(not finished)";
    if (const auto* token = std::get_if<int32_t>(&finish->matched)) return fmt::format("token {}", *token);
    if (const auto* stop = std::get_if<std::string>(&finish->matched)) return *stop;
    return finish->error ? finish->error->message() : "(nothing)";
  }
};

inline const text::Tokenizer& byte_tokenizer() {
  static const text::Tokenizer tokenizer = [] {
    auto made = text::Tokenizer::from_json(byte_tokenizer_json());
    CHECK(made.has_value(), "{}", made.error().message());
    return std::move(*made);
  }();
  return tokenizer;
}

/// Says `text` after `prompt`, then kEos for ever.
inline FakeExecutor::Script says(size_t prompt_tokens, std::vector<int32_t> answer) {
  return [prompt_tokens, answer = std::move(answer)](std::span<const int32_t> history) {
    const size_t at = history.size() - prompt_tokens;
    return at < answer.size() ? answer[at] : kEos;
  };
}

/// Only the prompt's embedding.
inline Request embed(std::vector<int32_t> prompt, Pooling pooling) {
  return {.prompt_ids = std::move(prompt), .max_new_tokens = 0, .pooling = pooling};
}

inline Request greedy(std::vector<int32_t> prompt, int32_t max_new_tokens) {
  return {.prompt_ids = std::move(prompt), .max_new_tokens = max_new_tokens, .sampling = {.temperature = 0}};
}

}  // namespace tessera::engine
