#include "server/operations.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <utility>

#include "api/abort.h"
#include "api/error.h"
#include "api/server_info.h"

namespace tessera::server {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLookAgain{20};
constexpr double kLongestFlushS = 600;

/// One /health_generate under way. Each look holds the next one's, none holds itself.
struct Probe {
  engine::Engine& engine;
  Writer writer;
  std::string path;
  int64_t steps_before;
  Clock::time_point deadline;
  bool asked = false;
};

void ask_for_a_token(Probe& probe) {
  probe.asked = true;
  engine::Request one;
  one.prompt_ids = {0};
  one.max_new_tokens = 1;
  one.ignore_eos = true;
  const auto callback = [writer = probe.writer, path = probe.path](const engine::Output& output) {
    if (output.finish && output.finish->kind == engine::FinishReason::Kind::kAbort) {
      writer->send(path_error(503, path, "the engine failed"));
    }
  };
  if (auto id = probe.engine.submit(std::move(one), callback); !id) {
    probe.writer->send(path_error(503, probe.path, id.error().message()));
  }
}

void look(const std::shared_ptr<Probe>& probe) {
  const engine::EngineStats stats = probe->engine.stats();
  if (stats.steps > probe->steps_before) return probe->writer->send({.body = {}, .headers = {}});
  if (Clock::now() >= probe->deadline) {
    return probe->writer->send(path_error(503, probe->path, "the engine made no step in time"));
  }
  if (!probe->asked && stats.running + stats.queued == 0) ask_for_a_token(*probe);
  probe->writer->call_later(kLookAgain, [probe] { look(probe); });
}

/// The last token of an answer is sent before the engine is idle: a client that then flushes should not fail.
void flush(engine::Engine& engine, const Writer& writer, const std::string& path,
           Clock::time_point deadline) {
  const Status flushed = engine.flush_cache();
  if (!flushed && Clock::now() < deadline) {
    return writer->call_later(kLookAgain,
                              [&engine, writer, path, deadline] { flush(engine, writer, path, deadline); });
  }
  if (!flushed) return writer->send(path_error(400, path, flushed.error().message()));
  writer->send({.content_type = "text/plain; charset=utf-8",
                .body = "Cache flushed.\nPlease check backend logs for more details. (When there are running "
                        "or waiting requests, the operation will not be performed.)\n",
                .headers = {}});
}

}  // namespace

void Operations::health(const http::Request& request, const Writer& writer) const {
  writer->send(draining_.load() ? path_error(503, request.path, kShuttingDown)
                                : http::Response{.body = {}, .headers = {}});
}

void Operations::health_generate(const http::Request& request, const Writer& writer) const {
  if (draining_.load()) return writer->send(path_error(503, request.path, kShuttingDown));
  look(std::make_shared<Probe>(Probe{.engine = services_.engine,
                                     .writer = writer,
                                     .path = request.path,
                                     .steps_before = services_.engine.stats().steps,
                                     .deadline = Clock::now() + options_.health_limit}));
}

void Operations::flush_cache(const http::Request& request, const Writer& writer) const {
  const auto text = http::query_value(request.query, "timeout");
  double limit_s = 0;
  const bool wrong =
      text && std::from_chars(text->data(), text->data() + text->size(), limit_s).ec != std::errc();
  if (wrong || !(limit_s >= 0)) {
    return writer->send(path_error(400, request.path, "timeout: expected a number of seconds"));
  }
  const std::chrono::duration<double> limit(std::min(limit_s, kLongestFlushS));
  flush(services_.engine, writer, request.path,
        Clock::now() + std::chrono::duration_cast<Clock::duration>(limit));
}

void Operations::abort_request(const http::Request& request, const Writer& writer) const {
  const auto asked = api::parse_abort(request.body, options_.limits);
  if (!asked) return writer->send(path_error(400, request.path, asked.error().message()));
  if (asked->all) {
    services_.live->abort_all();
  } else {
    services_.live->abort(asked->rid);
  }
  writer->send({.body = {}, .headers = {}});
}

void Operations::loads(const http::Request& request, const Writer& writer) const {
  const auto format = http::query_value(request.query, "format");
  if (format && *format != "json") {
    return writer->send(
        path_error(400, request.path, "format: only json is supported here, /metrics has Prometheus' text"));
  }
  const auto rank = http::query_value(request.query, "dp_rank");
  const bool ours = !rank || rank->empty() || *rank == "0";
  writer->send(
      {.body = api::loads(services_.engine.stats(), options_.max_running_requests, options_.version, ours),
       .headers = {}});
}

}  // namespace tessera::server
