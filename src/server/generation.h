// Runs one api::Call on the engine and carries its outputs to the client, whole or streamed.
//
// The engine's callback only posts to the connection; merging and formatting happen there, one event at a
// time. While the client reads slowly, or that thread is behind, pieces are merged instead of queued. A
// client that leaves cancels its engine requests; so does the first of several prompts that fails. One that
// is aborted by its name ends with what it has.
#pragma once

#include <chrono>
#include <memory>

#include "api/call.h"
#include "engine/engine.h"
#include "http/server.h"
#include "server/live_requests.h"
#include "server/metrics.h"
#include "server/request_log.h"

namespace tessera::server {

/// What answering takes. Answers own it together: the engine may let go of a cancelled one after the server
/// is gone.
struct Services {
  engine::Engine& engine;  // outlives them
  std::shared_ptr<LiveRequests> live;
  std::shared_ptr<Metrics> metrics;
  std::shared_ptr<const RequestLog> log;
};

/// Takes over `call`, which was received at that time, and answers through `writer`. For a worker thread.
void run_generation(api::Call call, std::chrono::steady_clock::time_point received, Services services,
                    std::shared_ptr<http::ResponseWriter> writer);

/// The answer for `error` in the API's own form: status, Retry-After with 429 and 503 (when the queue should
/// have shrunk enough), and a log line for internal errors.
http::Response error_response(const Error& error, std::string body, const engine::EngineStats& stats);

}  // namespace tessera::server
