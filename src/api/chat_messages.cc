#include "api/chat_messages.h"

#include <algorithm>
#include <array>

namespace tessera::api {
namespace {

constexpr std::array<std::string_view, 6> kRoles = {"system",    "developer", "user",
                                                    "assistant", "tool",      "function"};

// [{"type":"text","text":"a"}, ...] -> "a ...", joined by a space as SGLang does.
Result<std::string> join_parts(const Json& parts, std::string_view where) {
  std::string text;
  for (size_t index = 0; index < parts.size(); ++index) {
    const Json& part = parts[index];
    if (!part.is_object())
      return invalid_argument("{}.content[{}] is {}, expected an object", where, index, shown(part));
    const Fields fields(part, fmt::format("{}.content[{}].", where, index));
    const auto type = TRY(fields.string("type"));
    if (type != "text") {
      return unsupported("{}.content[{}].type is {}, this model reads text only", where, index,
                         type ? shown(*type) : "absent");
    }
    const auto piece = TRY(fields.string("text"));
    if (!piece) return fields.wrong("text", "a string");
    if (index > 0) text += ' ';
    text += *piece;
  }
  return text;
}

// {"function":{"arguments":"{\"a\":1}"}} -> {"function":{"arguments":{"a":1}}}
Status parse_tool_arguments(Json& message, std::string_view where, const Limits& limits) {
  const auto calls = message.find("tool_calls");
  if (calls == message.end() || calls->is_null()) return {};
  if (!calls->is_array())
    return invalid_argument("{}.tool_calls is {}, expected a list", where, shown(*calls));
  for (Json& call : *calls) {
    if (!call.is_object() || !call.contains("function") || !call["function"].is_object()) {
      return invalid_argument("{}.tool_calls holds {}, expected objects with a function", where, shown(call));
    }
    const auto arguments = call["function"].find("arguments");
    if (arguments == call["function"].end() || !arguments->is_string()) continue;
    const auto text = arguments->get<std::string>();
    auto parsed = parse_value(text, fmt::format("{}.tool_calls arguments", where), limits);
    if (!parsed) return parsed.error();
    *arguments = std::move(*parsed);
  }
  return {};
}

Status normalise(Json& message, std::string_view where, const Limits& limits) {
  if (!message.is_object()) return invalid_argument("{} is {}, expected an object", where, shown(message));
  const Fields fields(message, std::string(where) + ".");
  const auto role = TRY(fields.string("role"));
  if (!role || std::find(kRoles.begin(), kRoles.end(), *role) == kRoles.end()) {
    return fields.wrong("role", fmt::format("one of {}", fmt::join(kRoles, ", ")));
  }
  Json& content = message["content"];
  if (content.is_array()) {
    content = TRY(join_parts(content, where));
  } else if (content.is_null()) {
    if (*role == "user" || *role == "system")
      return fields.wrong("content", "a string or a list of text parts");
    content = "";
  } else if (!content.is_string()) {
    return fields.wrong("content", "a string or a list of text parts");
  }
  return parse_tool_arguments(message, where, limits);
}

}  // namespace

Result<Json> normalise_messages(const Json& messages, const Limits& limits) {
  if (!messages.is_array() || messages.empty() || messages.size() > limits.messages) {
    return invalid_argument("messages is {}, expected a list of 1 to {} messages", shown(messages),
                            limits.messages);
  }
  Json out = messages;
  for (size_t index = 0; index < out.size(); ++index) {
    TRY_STATUS(normalise(out[index], fmt::format("messages[{}]", index), limits));
  }
  return out;
}

}  // namespace tessera::api
