#include "bench/serving/answer.h"

#include <fmt/format.h>

#include <utility>

#include "base/quoted.h"
#include "bench/serving/json_scan.h"

namespace tessera::bench::serving {
namespace {

constexpr size_t kMaxBodyBytes = size_t{256} << 20;  // of one event, or of an answer that is not streamed
constexpr int64_t kMaxTokens = int64_t{1} << 24;     // of one answer: each takes 8 bytes
constexpr size_t kShownBytes = 200;                  // of what was not understood
constexpr std::string_view kDone = "[DONE]";

bool says_error(std::string_view value) {
  return !value.empty() && value != "null";
}

}  // namespace

AnswerReader::AnswerReader(Protocol protocol, bool stream, int64_t asked_tokens, double start_s)
    : protocol_(protocol), stream_(stream), last_text_s_(start_s) {
  outcome_.start_s = start_s;
  outcome_.output_tokens = asked_tokens;
}

bool AnswerReader::receive(std::string_view bytes, double now_s) {
  now_s_ = now_s;
  if (stream_) {
    lines_.feed(bytes, [this](std::string_view data) { read_event(data); });
  } else {
    body_ += bytes;
  }
  if (lines_.held_bytes() + body_.size() > kMaxBodyBytes) set_error("a line over 256 MiB", {});
  return outcome_.error.empty();
}

Outcome AnswerReader::finish(double now_s) && {
  now_s_ = now_s;
  if (stream_) {
    lines_.finish([this](std::string_view data) { read_event(data); });
    if (!done_) set_error("the stream ended without [DONE]", {});
  } else {
    read_whole();
  }
  if (!raw_text_.empty()) {
    auto text = string_value(raw_text_);
    if (!text) set_error("not a string", raw_text_);
    outcome_.text = std::move(text).value_or("");
  }
  outcome_.success = outcome_.error.empty();
  return std::move(outcome_);
}

Outcome AnswerReader::fail(std::string error) && {
  if (outcome_.error.empty()) outcome_.error = std::move(error);
  return std::move(outcome_);
}

void AnswerReader::set_error(std::string_view what, std::string_view data) {
  if (!outcome_.error.empty()) return;
  outcome_.error = what;
  if (!data.empty()) outcome_.error += ": " + quoted_text(data.substr(0, kShownBytes));
}

void AnswerReader::read_event(std::string_view data) {
  outcome_.latency_s = now_s_ - outcome_.start_s;
  if (data == kDone) {
    done_ = true;
  } else if (protocol_ == Protocol::kGenerate) {
    read_generate(data);
  } else {
    read_openai(data);
  }
}

/// A text has come: the first one makes the TTFT, a later one as many gaps as it brings tokens.
void AnswerReader::count_text(int64_t new_tokens) {
  if (has_text_) {
    const double gap = (now_s_ - last_text_s_) / static_cast<double>(new_tokens);
    outcome_.itls_s.insert(outcome_.itls_s.end(), static_cast<size_t>(new_tokens), gap);
  } else {
    outcome_.ttft_s = now_s_ - outcome_.start_s;
    has_text_ = true;
  }
  last_text_s_ = now_s_;
}

void AnswerReader::read_generate(std::string_view data) {
  std::string_view text, meta, error;
  const bool object = each_member(data, [&](std::string_view key, std::string_view value) {
    if (key == "text") text = value;
    if (key == "meta_info") meta = value;
    if (key == "error") error = value;
    return true;
  });
  if (!object) return set_error("not a JSON object", data);
  if (says_error(error)) return set_error("the server says", error);
  if (text.size() <= 2) return;  // absent or ""
  const auto tokens = integer_value(member(meta, "completion_tokens"));
  if (!tokens) return set_error("meta_info.completion_tokens is missing", data);
  const int64_t new_tokens = has_text_ ? *tokens - outcome_.output_tokens : *tokens;
  if (new_tokens < 0 || *tokens > kMaxTokens) {
    return set_error("completion_tokens makes no sense", meta);
  }
  raw_text_ = text;
  outcome_.output_tokens = *tokens;
  if (new_tokens > 0 || !has_text_) count_text(new_tokens);
}

void AnswerReader::read_openai(std::string_view data) {
  std::string_view choices, usage, error;
  const bool object = each_member(data, [&](std::string_view key, std::string_view value) {
    if (key == "choices") choices = value;
    if (key == "usage") usage = value;
    if (key == "error") error = value;
    return true;
  });
  if (!object) return set_error("not a JSON object", data);
  if (says_error(error)) return set_error("the server says", error);
  if (const auto tokens = integer_value(member(usage, "completion_tokens"))) outcome_.output_tokens = *tokens;
  const std::string_view choice = first_element(choices);
  const std::string_view text = protocol_ == Protocol::kChat
                                    ? member(member(choice, stream_ ? "delta" : "message"), "content")
                                    : member(choice, "text");
  if (text.size() <= 2 || text[0] != '"') return;
  auto plain = string_value(text);
  if (!plain) return set_error("not a string", text);
  if (has_text_) outcome_.chunks.push_back(*plain);
  outcome_.text += *plain;
  count_text(1);
}

/// An answer that is not streamed: one JSON document, whose text is the first and the last.
void AnswerReader::read_whole() {
  read_event(body_);
  if (!has_text_) outcome_.ttft_s = outcome_.latency_s;
}

}  // namespace tessera::bench::serving
