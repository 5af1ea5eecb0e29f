#include "engine/answer_text.h"

#include "base/check.h"

namespace tessera::engine {

namespace {

/// check_request() has compiled them before.
std::vector<text::StopRegex> compiled(const std::vector<std::string>& patterns) {
  std::vector<text::StopRegex> regexes;
  for (const std::string& pattern : patterns) {
    auto regex = text::StopRegex::compile(pattern);
    CHECK(regex.has_value(), "{}", regex.error().message());
    regexes.push_back(std::move(*regex));
  }
  return regexes;
}

}  // namespace

AnswerText::AnswerText(const text::Tokenizer& tokenizer, const Request& request)
    : detokenizer_(tokenizer, request.skip_special_tokens),
      matcher_(request.stop, compiled(request.stop_regex)),
      keep_stop_(request.keep_stop) {
  if (!request.skip_special_tokens) return;
  for (const std::string& stop : request.stop) {
    const std::optional<int32_t> token = tokenizer.token_to_id(stop);
    if (token && tokenizer.is_special(*token)) special_stops_.emplace_back(*token, stop);
  }
}

AnswerText::Piece AnswerText::push(int32_t token) {
  for (const auto& [special, stop] : special_stops_) {
    if (token == special) {
      Piece rest = finish();
      if (!rest.matched) rest.matched = stop;
      return rest;
    }
  }
  return match(detokenizer_.push(token));
}

AnswerText::Piece AnswerText::match(const std::string& text) {
  auto [released, matched, ending] = matcher_.push(text);
  ended_ = matched.has_value();
  if (ended_ && keep_stop_) released += ending;
  return {std::move(released), std::move(matched)};
}

AnswerText::Piece AnswerText::finish() {
  if (ended_) return {};
  Piece piece = match(detokenizer_.finish());
  ended_ = true;
  if (!piece.matched) piece.text += matcher_.finish();
  return piece;
}

}  // namespace tessera::engine
