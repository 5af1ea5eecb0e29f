#include "bench/serving/backend.h"

namespace tessera::bench::serving {
namespace {

using Json = nlohmann::ordered_json;

constexpr Backend kBackends[] = {
    {"sglang", Protocol::kGenerate, "/generate", 30000},
    {"sglang-native", Protocol::kGenerate, "/generate", 30000},
    {"sglang-oai", Protocol::kCompletions, "/v1/completions", 30000},
    {"sglang-oai-chat", Protocol::kChat, "/v1/chat/completions", 30000},
    {"vllm", Protocol::kCompletions, "/v1/completions", 8000},
    {"vllm-chat", Protocol::kChat, "/v1/chat/completions", 8000},
};

Json generate_fields(const Prompt& prompt, const BodyOptions& options) {
  Json body;
  if (prompt.ids.empty()) {
    body["text"] = prompt.text;
  } else {
    body["input_ids"] = prompt.ids;
  }
  body["sampling_params"] = {
      {"temperature", 0.0}, {"max_new_tokens", prompt.output_tokens}, {"ignore_eos", options.ignore_eos}};
  body["stream"] = options.stream;
  body["lora_path"] = nullptr;
  body["return_logprob"] = options.return_logprob;
  body["logprob_start_len"] = -1;
  return body;
}

Json completion_fields(const Prompt& prompt, const BodyOptions& options) {
  return {{"model", options.model},
          {"prompt", prompt.text},
          {"temperature", 0.0},
          {"best_of", 1},
          {"max_tokens", prompt.output_tokens},
          {"stream", options.stream},
          {"ignore_eos", options.ignore_eos}};
}

Json chat_fields(const Prompt& prompt, const BodyOptions& options) {
  return {
      {"model", options.model},   {"messages", Json::array({{{"role", "user"}, {"content", prompt.text}}})},
      {"temperature", 0.0},       {"max_completion_tokens", prompt.output_tokens},
      {"stream", options.stream}, {"ignore_eos", options.ignore_eos}};
}

Json fields(Protocol protocol, const Prompt& prompt, const BodyOptions& options) {
  switch (protocol) {
    case Protocol::kGenerate:
      return generate_fields(prompt, options);
    case Protocol::kCompletions:
      return completion_fields(prompt, options);
    case Protocol::kChat:
      return chat_fields(prompt, options);
  }
  return {};
}

}  // namespace

std::span<const Backend> backends() {
  return kBackends;
}

const Backend* find_backend(std::string_view name) {
  for (const Backend& backend : kBackends) {
    if (name == backend.name) return &backend;
  }
  return nullptr;
}

std::string request_body(Protocol protocol, const Prompt& prompt, const BodyOptions& options) {
  Json body = fields(protocol, prompt, options);
  for (const auto& [key, value] : options.extra.items()) {
    if (value.is_null()) {
      body.erase(key);  // llama-server refuses best_of, whatever its value
    } else {
      body[key] = value;
    }
  }
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tessera::bench::serving
