// ChatTemplate: a model's Jinja template turns messages into a prompt, byte for byte as transformers'
// apply_chat_template does. A hostile template can neither hang nor fill the memory (textkit.h names the
// limits). Not here: which messages are allowed (api/chat_messages.h). Const calls are thread-safe.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"

struct tk_template;

namespace tessera::text {

class ChatTemplate {
 public:
  /// `special_tokens`: "bos_token" -> "<s>" and so on, as TokenizerConfig has them; the template's variables.
  /// kInvalidArgument with the line of a syntax error.
  static Result<ChatTemplate> compile(std::string source, std::map<std::string, std::string> special_tokens);

  /// `messages` a list, `tools` a list or null, `kwargs` an object or null: further variables, which win over
  /// special tokens. kInvalidArgument when the template refuses (raise_exception) or fails,
  /// kResourceExhausted past a limit. nlohmann::json converts to these types, but has sorted its members by
  /// then; what `tojson` prints keeps the order of an ordered_json.
  Result<std::string> render(const nlohmann::ordered_json& messages, const nlohmann::ordered_json& tools,
                             bool add_generation_prompt, const nlohmann::ordered_json& kwargs) const;

 private:
  struct Free {
    void operator()(tk_template* chat_template) const;
  };
  ChatTemplate(tk_template* chat_template, std::map<std::string, std::string> special_tokens)
      : handle_(chat_template), special_tokens_(std::move(special_tokens)) {}
  std::unique_ptr<tk_template, Free> handle_;
  std::map<std::string, std::string> special_tokens_;
};

}  // namespace tessera::text
