// ChatTemplate: a model's Jinja template, which turns a conversation into the prompt that the model was
// trained on, byte for byte as transformers' apply_chat_template. Work and output are bounded
// (rust/textkit/textkit.h), because the template comes with the checkpoint. Render is const and thread-safe;
// it takes up to seconds for a hostile template, so call it on a request's thread, never on the engine's.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "text/tokenizer_config.h"

struct tk_template;

namespace tessera::text {

class ChatTemplate {
 public:
  /// `special_tokens` become variables of the template (bos_token, eos_token ...). kInvalidArgument with the
  /// line of a syntax error; kResourceExhausted over 64 KiB.
  static Result<ChatTemplate> compile(const std::string& source, const SpecialTokens& special_tokens);

  /// messages: a list of objects; tools: a list of JSON schemas, or null; kwargs: an object of further
  /// variables (enable_thinking ...), or null; they win over special tokens, and may not be named as the
  /// other arguments are. The order of keys is visible in the prompt (tojson), hence ordered_json; a plain
  /// nlohmann::json converts, sorted. kInvalidArgument for input the template refuses (raise_exception);
  /// kResourceExhausted over the limits.
  Result<std::string> render(const nlohmann::ordered_json& messages, const nlohmann::ordered_json& tools,
                             bool add_generation_prompt, const nlohmann::ordered_json& kwargs) const;

 private:
  struct Free {
    void operator()(tk_template* handle) const;
  };
  ChatTemplate() = default;

  std::unique_ptr<tk_template, Free> handle_;
  SpecialTokens special_tokens_;
};

}  // namespace tessera::text
