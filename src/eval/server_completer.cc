#include "eval/server_completer.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "eval/http_client.h"
#include "formats/json_limits.h"

namespace tessera::eval {
namespace {

using Json = nlohmann::json;
using Api = ServerOptions::Api;

Result<std::string> first_model(const ServerOptions& options) {
  const HttpTarget target{.url = options.base_url + "/v1/models", .api_key = options.api_key};
  const std::string body = TRY(http_get(target));
  const Json json = TRY(formats::parse_json(body, target.url));
  const auto data = json.is_object() ? json.find("data") : json.end();
  if (json.is_object() && data != json.end() && data->is_array() && !data->empty() &&
      (*data)[0].is_object()) {
    const auto id = (*data)[0].find("id");
    if (id != (*data)[0].end() && id->is_string()) return id->get<std::string>();
  }
  return unavailable("{}: expected data[0].id, a string", target.url);
}

/// The member `key` of `json`; null when there is none.
const Json& member(const Json& json, const char* key) {
  static const Json kNull;
  if (!json.is_object()) return kNull;
  const auto found = json.find(key);
  return found == json.end() ? kNull : *found;
}

}  // namespace

Result<std::unique_ptr<ServerCompleter>> ServerCompleter::connect(ServerOptions options) {
  if (!options.base_url.starts_with("http://") && !options.base_url.starts_with("https://"))
    return invalid_argument("--base-url {}, expected http://... or https://...", options.base_url);
  while (options.base_url.ends_with('/'))
    options.base_url.pop_back();
  if (options.api == Api::kCompletions && options.model.empty()) options.model = TRY(first_model(options));
  return std::unique_ptr<ServerCompleter>(new ServerCompleter(std::move(options)));
}

std::string ServerCompleter::request_body(const std::string& prompt, const CompletionOptions& options) const {
  Json body;
  if (options_.api == Api::kGenerate) {
    body = {{"text", prompt},
            {"sampling_params",
             {{"max_new_tokens", options.max_new_tokens}, {"temperature", 0}, {"stop", options.stop}}}};
  } else {
    body = {{"model", options_.model},
            {"prompt", prompt},
            {"max_tokens", options.max_new_tokens},
            {"temperature", 0},
            {"stop", options.stop}};
  }
  return body.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Completion> ServerCompleter::parse_answer(const std::string& body) const {
  const Json json = TRY(formats::parse_json(body, "the server's answer"));
  const Json& choices = member(json, "choices");
  const bool native = options_.api == Api::kGenerate;
  const Json& text = member(native || !choices.is_array() || choices.empty() ? json : choices[0], "text");
  const Json& count = member(member(json, native ? "meta_info" : "usage"), "completion_tokens");
  if (!text.is_string() || !count.is_number_integer()) {
    return data_corrupt(
        "the server's answer: expected {}",
        native ? "text and meta_info.completion_tokens" : "choices[0].text and usage.completion_tokens");
  }
  return Completion{.text = text.get<std::string>(), .completion_tokens = count.get<int32_t>()};
}

Result<std::vector<Completion>> ServerCompleter::complete(std::span<const std::string> prompts,
                                                          const CompletionOptions& options,
                                                          const std::function<void()>& on_done) {
  // OpenAI's API has no answer of no tokens: it cannot be asked to read a prompt in advance.
  if (options.max_new_tokens == 0 && options_.api == Api::kCompletions)
    return std::vector<Completion>(prompts.size());
  const HttpTarget target{
      .url = options_.base_url + (options_.api == Api::kGenerate ? "/generate" : "/v1/completions"),
      .api_key = options_.api_key};
  std::vector<Completion> completions(prompts.size());
  const auto body = [&](size_t prompt) { return request_body(prompts[prompt], options); };
  const auto answer = [&](size_t prompt, const std::string& text) -> Status {
    completions[prompt] = TRY(parse_answer(text).context(fmt::format("prompt {}", prompt)));
    on_done();
    return {};
  };
  TRY_STATUS(http_post_all(target, prompts.size(), static_cast<size_t>(options.parallel), body, answer));
  return completions;
}

}  // namespace tessera::eval
