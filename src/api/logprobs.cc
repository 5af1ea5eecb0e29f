#include "api/logprobs.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace tessera::api {
namespace {

using sampling::Logprobs;
using sampling::TokenLogprob;

constexpr int64_t kMaxTop = 20;          // OpenAI's
constexpr double kImpossible = -9999.0;  // OpenAI's word for it: JSON has no infinity
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

double finite(float logprob) {
  return std::isfinite(logprob) ? logprob : kImpossible;
}

std::string text_of(int32_t token, const text::Tokenizer& tokenizer) {
  const auto text = tokenizer.decode({&token, 1}, false);
  return text ? *text : std::string();
}

int64_t characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; });
}

// Half a character has no text of its own, so its bytes are not known here either.
Json bytes_of(const std::string& text) {
  if (text.find(kReplacement) != text.npos) return nullptr;
  Json bytes = Json::array();
  for (const char byte : text)
    bytes.push_back(static_cast<unsigned char>(byte));
  return bytes;
}

Json chat_entry(const TokenLogprob& of, const text::Tokenizer& tokenizer) {
  const std::string text = text_of(of.token, tokenizer);
  return {{"token", text}, {"bytes", bytes_of(text)}, {"logprob", finite(of.logprob)}};
}

Json native_entry(const TokenLogprob& of, const text::Tokenizer* texts) {
  return Json::array({finite(of.logprob), of.token, texts ? Json(text_of(of.token, *texts)) : Json()});
}

Json native_list(std::span<const TokenLogprob> list, const text::Tokenizer* texts) {
  Json out = Json::array();
  for (const TokenLogprob& of : list)
    out.push_back(native_entry(of, texts));
  return out;
}

// The three lists of SGLang: `what` is "input" or "output". `skipped` prompt tokens open each with null.
void add_lists(std::string_view what, std::span<const int32_t> skipped, std::span<const Logprobs> positions,
               const text::Tokenizer* texts, Json& meta) {
  Json tokens = Json::array(), tops = Json::array(), chosen = Json::array();
  for (const int32_t id : skipped) {
    tokens.push_back(Json::array({nullptr, id, texts ? Json(text_of(id, *texts)) : Json()}));
    tops.push_back(nullptr);
    chosen.push_back(nullptr);
  }
  bool any_top = false, any_chosen = false;
  for (const Logprobs& at : positions) {
    tokens.push_back(native_entry(at.token, texts));
    tops.push_back(native_list(at.top, texts));
    chosen.push_back(native_list(at.chosen, texts));
    any_top = any_top || !at.top.empty();
    any_chosen = any_chosen || !at.chosen.empty();
  }
  meta[fmt::format("{}_token_logprobs", what)] = std::move(tokens);
  if (any_top) meta[fmt::format("{}_top_logprobs", what)] = std::move(tops);
  if (any_chosen) meta[fmt::format("{}_token_ids_logprobs", what)] = std::move(chosen);
}

}  // namespace

Status read_chat_logprobs(const Fields& fields, engine::Request& request) {
  const bool wanted = TRY(fields.boolean("logprobs", false));
  const auto top = TRY(fields.integer("top_logprobs", 0, kMaxTop));
  if (wanted) {
    request.logprobs = {.top = static_cast<int32_t>(top.value_or(0)), .tokens = {}};
  } else if (top.value_or(0) > 0) {
    return fields.wrong("top_logprobs", "it with logprobs = true only");
  }
  return {};
}

Status read_completion_logprobs(const Fields& fields, bool echo, engine::Request& request) {
  const auto top = TRY(fields.integer("logprobs", 0, kMaxTop));
  if (!top) return {};
  request.logprobs = {.top = static_cast<int32_t>(*top), .tokens = {}};
  if (echo) request.prompt_logprobs_from = 0;
  return {};
}

Json chat_logprobs(std::span<const Logprobs> positions, const text::Tokenizer& tokenizer) {
  Json content = Json::array();
  for (const Logprobs& at : positions) {
    Json entry = chat_entry(at.token, tokenizer);
    Json top = Json::array();
    for (const TokenLogprob& of : at.top)
      top.push_back(chat_entry(of, tokenizer));
    entry["top_logprobs"] = std::move(top);
    content.push_back(std::move(entry));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

void CompletionLogprobs::add_token(const std::string& text, Json logprob, Json top) {
  tokens_.push_back(text);
  logprobs_.push_back(std::move(logprob));
  tops_.push_back(std::move(top));
  offsets_.push_back(offset_);
  offset_ += characters(text);
}

void CompletionLogprobs::add_first(int32_t token) {
  add_token(text_of(token, *tokenizer_), nullptr, nullptr);
}

void CompletionLogprobs::add(std::span<const Logprobs> positions) {
  for (const Logprobs& at : positions) {
    const std::string text = text_of(at.token.token, *tokenizer_);
    Json top = Json::object();
    for (const TokenLogprob& of : at.top)
      top[text_of(of.token, *tokenizer_)] = finite(of.logprob);
    if (!at.top.empty()) top[text] = finite(at.token.logprob);
    add_token(text, finite(at.token.logprob), at.top.empty() ? Json() : std::move(top));
  }
}

Json CompletionLogprobs::take() {
  return {{"tokens", std::exchange(tokens_, Json::array())},
          {"token_logprobs", std::exchange(logprobs_, Json::array())},
          {"top_logprobs", std::exchange(tops_, Json::array())},
          {"text_offset", std::exchange(offsets_, Json::array())}};
}

void add_native_logprobs(const NativeLogprobs& asked, std::span<const int32_t> prompt_ids,
                         const engine::Output& output, const text::Tokenizer& tokenizer, Json& meta) {
  if (!asked.wanted) return;
  const text::Tokenizer* texts = asked.text ? &tokenizer : nullptr;
  std::span<const int32_t> first;
  if (asked.start >= 0 && asked.start < std::ssize(prompt_ids)) {
    first = prompt_ids.subspan(static_cast<size_t>(asked.start), 1);
  }
  add_lists("input", first, output.prompt_logprobs, texts, meta);
  add_lists("output", {}, output.logprobs, texts, meta);
}

}  // namespace tessera::api
