#include "text/detokenizer.h"

#include <algorithm>
#include <span>
#include <utility>

namespace tessera::text {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// A character has at most 4 bytes, so this many tokens without a whole one are broken bytes or U+FFFD itself.
constexpr size_t kMaxPendingTokens = 8;
// Nothing is known to get here: tokens that decode to nothing for this long.
constexpr size_t kMaxWindowTokens = 64;

}  // namespace

bool IncrementalDetokenizer::shows(int32_t id) const {
  if (skip_special_tokens_ && tokenizer_->is_special(id)) return false;
  return tokenizer_->id_to_token(id).has_value();
}

// Fails only for a decoder that is broken for these tokens; a stream cannot stop for that, so they have no
// text.
std::string IncrementalDetokenizer::decode(size_t first, size_t last) const {
  auto text = tokenizer_->decode(std::span(window_).subspan(first, last - first), skip_special_tokens_);
  return text ? std::move(*text) : std::string();
}

std::string IncrementalDetokenizer::beyond_context(const std::string& window_text) const {
  size_t start = std::min(context_text_.size(), window_text.size());
  // Only where a decoder rewrote the context's own end can this fall inside a character.
  while (start < window_text.size() && (static_cast<unsigned char>(window_text[start]) & 0xC0) == 0x80)
    ++start;
  return window_text.substr(start);
}

std::string IncrementalDetokenizer::push(int32_t id) {
  if (!shows(id)) return {};
  window_.push_back(id);
  const std::string text = decode(0, window_.size());
  // Byte fallback writes U+FFFD for each byte of an incomplete run: a text that shrinks is whole, and its
  // U+FFFD is meant.
  const bool whole = !text.ends_with(kReplacement) || text.size() < window_bytes_;
  window_bytes_ = text.size();
  if (whole && text.size() > context_text_.size()) {
    std::string released = beyond_context(text);
    window_.erase(window_.begin(), window_.begin() + static_cast<ptrdiff_t>(context_tokens_));
    context_tokens_ = window_.size();
    context_text_ = decode(0, window_.size());
    window_bytes_ = context_text_.size();
    return released;
  }
  if (window_.size() - context_tokens_ < kMaxPendingTokens) return {};
  return release_front(text);
}

// Releases the longest part of the window that later tokens cannot change: where both sides of a cut decode
// alone to what they are together, no character lies across it.
std::string IncrementalDetokenizer::release_front(const std::string& window_text) {
  for (size_t cut = window_.size() - 1; cut > context_tokens_; --cut) {
    const std::string front = decode(0, cut);
    if (front.size() <= context_text_.size() || front + decode(cut, window_.size()) != window_text) continue;
    std::string released = beyond_context(front);
    window_.erase(window_.begin(), window_.begin() + static_cast<ptrdiff_t>(cut));
    context_tokens_ = 0;
    context_text_.clear();
    window_bytes_ = window_text.size() - front.size();
    return released;
  }
  return window_.size() < kMaxWindowTokens ? std::string() : finish();
}

std::string IncrementalDetokenizer::finish() {
  std::string released = beyond_context(decode(0, window_.size()));
  window_.clear();
  context_tokens_ = 0;
  context_text_.clear();
  window_bytes_ = 0;
  return released;
}

}  // namespace tessera::text
