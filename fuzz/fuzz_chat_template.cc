// A chat template of any origin over one conversation with tools: compiling and rendering end in a prompt or
// an error, within the limits of rust/textkit.
#include <cstdint>
#include <string>

#include "base/check.h"
#include "text/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using tessera::text::ChatTemplate;
  using Json = nlohmann::ordered_json;
  static const Json messages = Json::parse(R"([
    {"role": "system", "content": "be brief"}, {"role": "user", "content": "what is 2+2?\n"},
    {"role": "assistant", "reasoning": "4", "tool_calls": [{"type": "function", "function": {"name": "add",
     "arguments": {"a": 2, "b": 2.5, "deep": [[1, [null, true]]]}}}]}, {"role": "tool", "content": "4"}])");
  static const Json tools = Json::parse(R"([{"type": "function", "function": {"name": "add", "parameters":
    {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]}}}])");
  const auto compiled = ChatTemplate::compile({reinterpret_cast<const char*>(data), size},
                                              {{"bos_token", "<s>"}, {"eos_token", "</s>"}});
  if (!compiled.has_value()) return 0;
  const auto prompt = compiled->render(messages, tools, true, {{"enable_thinking", false}});
  CHECK(!prompt.has_value() || prompt->size() <= size_t{64} << 20, "{} bytes", prompt->size());
  return 0;
}
