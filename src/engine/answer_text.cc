#include "engine/answer_text.h"

namespace tessera::engine {

AnswerText::AnswerText(const text::Tokenizer& tokenizer, const Request& request)
    : detokenizer_(tokenizer, request.skip_special_tokens),
      matcher_(request.stop),
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
  auto [released, matched] = matcher_.push(text);
  ended_ = matched.has_value();
  if (ended_ && keep_stop_) released += *matched;
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
