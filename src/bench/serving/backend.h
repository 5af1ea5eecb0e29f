// Backend: how requests for one kind of server are written: the names, paths and fields of SGLang's
// bench_serving. Plain data; no sockets.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tessera::bench::serving {

enum class Protocol : uint8_t {
  kGenerate,     // SGLang's own: events repeat the text so far
  kCompletions,  // OpenAI's, with text
  kChat,         // OpenAI's, with messages
};

struct Backend {
  const char* name;
  Protocol protocol;
  const char* path;
  uint16_t port;  // unless --port says otherwise
};

std::span<const Backend> backends();
/// Null when there is none of that name.
const Backend* find_backend(std::string_view name);

/// One prompt and what to ask for.
struct Prompt {
  std::string text = {};
  std::vector<int32_t> ids = {};  // sent instead of the text unless empty
  int64_t input_tokens = 0;       // as counted here
  int64_t output_tokens = 0;      // asked for
};

/// What is the same in all requests of a run.
struct BodyOptions {
  std::string model = {};
  bool stream = true;
  bool ignore_eos = true;
  bool return_logprob = false;                                      // kGenerate only
  nlohmann::ordered_json extra = nlohmann::ordered_json::object();  // its members win; null: without it
};

/// The JSON to POST to Backend::path. The prompt's text is UTF-8.
std::string request_body(Protocol protocol, const Prompt& prompt, const BodyOptions& options);

}  // namespace tessera::bench::serving
