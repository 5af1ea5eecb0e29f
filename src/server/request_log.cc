#include "server/request_log.h"

#include <fmt/chrono.h>

#include <chrono>
#include <cmath>
#include <cstdio>

#include "api/call.h"
#include "api/json.h"
#include "base/log.h"

namespace tessera::server {
namespace {

using api::Json;

constexpr size_t kShownBytes = 2048;
constexpr size_t kShownTarget = 200;

double rounded_ms(double seconds) {
  return std::round(seconds * 1e6) / 1e3;
}

std::string now() {
  const auto time = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}Z", time);
}

Json parameters(const engine::Request& request) {
  const auto& sampling = request.sampling;
  Json shown = {{"max_new_tokens", request.max_new_tokens},
                {"temperature", sampling.temperature},
                {"top_p", sampling.top_p},
                {"top_k", sampling.top_k},
                {"min_p", sampling.min_p},
                {"stop", request.stop},
                {"stop_token_ids", request.stop_token_ids},
                {"ignore_eos", request.ignore_eos}};
  if (sampling.seed) shown["sampling_seed"] = *sampling.seed;
  return shown;
}

// A cut may split a character: dump() replaces the half.
std::string beginning(std::string text, int level) {
  if (level < 3 && text.size() > kShownBytes) text = text.substr(0, kShownBytes) + "...";
  return text;
}

// "key=value key=value": strings and objects as JSON, so that a line stays a line.
std::string as_text(const Json& record) {
  std::string line;
  for (const auto& [key, value] : record.items())
    line += fmt::format("{}{}={}", line.empty() ? "" : " ", key, api::dump(value));
  return line;
}

}  // namespace

std::string RequestLog::line(const http::AccessRecord& record) const {
  const std::string_view target = record.target.substr(0, kShownTarget);
  if (options_.json) {
    Json object = {{"time", now()},           {"event", "http"},
                   {"id", record.id},         {"client", record.client},
                   {"method", record.method}, {"target", target},
                   {"status", record.status}, {"ms", rounded_ms(record.seconds)}};
    if (!record.remark.empty()) object["remark"] = record.remark;
    return api::dump(object);
  }
  return fmt::format("{} {} {} {} {:.1f} ms id={}{}{}", record.client, record.method, target, record.status,
                     record.seconds * 1e3, record.id, record.remark.empty() ? "" : ": ", record.remark);
}

std::string RequestLog::line(const RequestRecord& record) const {
  Json object = Json::object();
  if (options_.json) object = {{"time", now()}, {"event", "request"}};
  object["rid"] = record.rid;
  object["prompt_tokens"] = record.answer.prompt_tokens;
  object["cached_tokens"] = record.answer.cached_tokens;
  object["completion_tokens"] = record.answer.completion_tokens;
  object["finish_reason"] = api::native_finish_reason(record.answer);
  object["first_token_ms"] = rounded_ms(record.first_token_s);
  object["ms"] = rounded_ms(record.seconds);
  if (options_.level >= 1) object["sampling_params"] = parameters(record.request);
  if (options_.level >= 2) {
    const auto prompt = tokenizer_.decode(record.request.prompt_ids, false);
    object["prompt"] = prompt ? Json(beginning(*prompt, options_.level)) : Json();
    object["text"] = beginning(record.answer.text, options_.level);
  }
  return options_.json ? api::dump(object) : "request " + as_text(object);
}

void RequestLog::answered(const http::AccessRecord& record) const {
  if (options_.answers) write(line(record));
}

void RequestLog::finished(const RequestRecord& record) const {
  if (options_.requests) write(line(record));
}

void RequestLog::write(const std::string& line) const {
  if (!options_.json) {
    LOG_INFO("{}", line);
    return;
  }
  fmt::print(stdout, "{}\n", line);  // one write: lines of several threads do not mix
  std::fflush(stdout);
}

}  // namespace tessera::server
