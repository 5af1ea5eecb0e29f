// ServerCompleter: prompts over HTTP, to SGLang's /generate (ours and SGLang's own servers) or to the
// /v1/completions of any server that speaks OpenAI's API.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "eval/completer.h"

namespace tessera::eval {

struct ServerOptions {
  std::string base_url;  // "http://127.0.0.1:30000"
  std::string api_key;   // empty: none is sent
  enum class Api : uint8_t { kGenerate, kCompletions } api = Api::kGenerate;
  std::string model;  // for kCompletions; empty: the first that /v1/models names
};

class ServerCompleter : public Completer {
 public:
  /// kInvalidArgument for a URL that is not http or https; kUnavailable when the server is asked for its
  /// model and does not say.
  static Result<std::unique_ptr<ServerCompleter>> connect(ServerOptions options);

  Result<std::vector<Completion>> complete(std::span<const std::string> prompts,
                                           const CompletionOptions& options,
                                           const std::function<void()>& on_done) override;

 private:
  explicit ServerCompleter(ServerOptions options) : options_(std::move(options)) {}
  std::string request_body(const std::string& prompt, const CompletionOptions& options) const;
  Result<Completion> parse_answer(const std::string& body) const;

  ServerOptions options_;
};

}  // namespace tessera::eval
