#include "text/chat_template.h"

#include <array>
#include <string_view>
#include <utility>

#include "text/textkit_call.h"

namespace tessera::text {
namespace {

using Json = nlohmann::ordered_json;

// transformers calls a message's reasoning by all the names that templates read: {"thinking": r, **message,
// "reasoning_content": r}. And a content of null is as good as none.
Json as_templates_read(const Json& message) {
  Json out = Json::object();
  const Json* reasoning = nullptr;
  for (const char* name : {"reasoning_content", "thinking", "reasoning"}) {
    const auto found = message.find(name);
    if (!reasoning && found != message.end() && !found->is_null()) reasoning = &*found;
  }
  if (reasoning) out["thinking"] = *reasoning;
  for (const auto& [key, value] : message.items()) {
    if (key != "content" || !value.is_null()) out[key] = value;
  }
  if (reasoning) out["reasoning_content"] = *reasoning;
  return out;
}

Result<Json> read_messages(const Json& messages) {
  if (!messages.is_array())
    return invalid_argument("messages is a JSON {}, expected a list", messages.type_name());
  Json out = Json::array();
  for (const Json& message : messages) {
    if (!message.is_object())
      return invalid_argument("messages[{}] is a JSON {}, expected an object", out.size(),
                              message.type_name());
    out.push_back(as_templates_read(message));
  }
  return out;
}

Status add_kwargs(const Json& kwargs, Json& context) {
  if (kwargs.is_null()) return {};
  if (!kwargs.is_object())
    return invalid_argument("template arguments are a JSON {}, expected an object", kwargs.type_name());
  for (const auto& [key, value] : kwargs.items()) {
    for (const std::string_view taken : {"messages", "tools", "documents", "add_generation_prompt"}) {
      if (key == taken) return invalid_argument("template argument \"{}\" is set by the request itself", key);
    }
    context[key] = value;
  }
  return {};
}

Result<std::string> to_text(const Json& context) {
  try {
    return context.dump();
  } catch (const Json::exception& e) {  // a string that is not UTF-8
    return invalid_argument("messages: {}", e.what());
  }
}

}  // namespace

void ChatTemplate::Free::operator()(tk_template* handle) const {
  tk_template_free(handle);
}

Result<ChatTemplate> ChatTemplate::compile(const std::string& source, const SpecialTokens& special_tokens) {
  tk_template* handle = nullptr;
  RustBytes error;
  TRY_STATUS(status_of(tk_template_new(source.data(), source.size(), &handle, error.slot()), error,
                       ErrorCode::kInvalidArgument));
  ChatTemplate made;
  made.handle_.reset(handle);
  made.special_tokens_ = special_tokens;
  return made;
}

Result<std::string> ChatTemplate::render(const Json& messages, const Json& tools, bool add_generation_prompt,
                                         const Json& kwargs) const {
  Json context = Json::object();
  for (const auto& [role, token] : special_tokens_)
    context[role] = token;
  TRY_STATUS(add_kwargs(kwargs, context));
  context["messages"] = TRY(read_messages(messages));
  context["tools"] = tools;
  context["documents"] = nullptr;
  context["add_generation_prompt"] = add_generation_prompt;
  const std::string json = TRY(to_text(context));

  RustBytes out;
  RustBytes error;
  TRY_STATUS(status_of(tk_template_render(handle_.get(), json.data(), json.size(), out.slot(), error.slot()),
                       error, ErrorCode::kInvalidArgument));
  return out.text();
}

}  // namespace tessera::text
