// One HTTP request understood: the engine requests it makes, and the Reply that turns their outputs into its
// answer. The server runs every API the same way: submit, then feed the Reply.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/model_card.h"
#include "base/result.h"
#include "engine/request.h"

namespace tessera::api {

/// Formats one answer. Not thread-safe: the server calls it from one connection.
class Reply {
 public:
  virtual ~Reply() = default;

  /// Events of a stream, ready to send (each ends in a blank line); empty when there is nothing to say.
  virtual std::string opening() { return {}; }
  /// `piece` continues prompt number `index`; pieces may have been merged (see merge()).
  virtual std::string piece(size_t index, const engine::Output& piece) = 0;
  /// After every prompt has finished; the server adds [DONE].
  virtual std::string closing() { return {}; }
  /// A failure after the stream has begun.
  virtual std::string failure(const Error& error) = 0;

  /// The body of an answer that is not streamed; one merged Output per prompt.
  virtual std::string whole(std::span<const engine::Output> answers) = 0;
  /// The body of an error answer.
  virtual std::string error_body(const Error& error) = 0;
};

struct Call {
  std::vector<engine::Request> requests;  // at least one
  std::vector<std::string> rids;          // of the same length: names for /abort_request and the log
  bool stream = false;
  std::unique_ptr<Reply> reply;
};

/// Appends `next` to `merged`: text, ids and log-probabilities are joined, the rest is taken over.
void merge(engine::Output& merged, const engine::Output& next);

/// The APIs. `id` names the answer; bodies come from outside, every error is the client's to see.
/// Tokenizes and renders templates: for a worker thread, never the engine's or an I/O thread.
Result<Call> parse_chat(std::string_view body, const ModelCard& card, std::string_view id);
Result<Call> parse_completion(std::string_view body, const ModelCard& card, std::string_view id);
Result<Call> parse_generate(std::string_view body, const ModelCard& card, std::string_view id);
Result<Call> parse_embeddings(std::string_view body, const ModelCard& card, std::string_view id);
Result<Call> parse_encode(std::string_view body, const ModelCard& card, std::string_view id);

/// {"type":"stop","matched":...} and so on, as the native API says it; null while unfinished.
Json native_finish_reason(const engine::Output& output);
/// "stop" | "length" | "abort" | null, and what matched (id, string or null), as the OpenAI routes say it.
Json openai_finish_reason(const engine::Output& output);
Json matched_stop(const engine::Output& output);

}  // namespace tessera::api
