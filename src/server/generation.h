// Runs one api::Call on the engine and carries its outputs to the client, whole or streamed.
//
// The engine's callback only posts to the connection; merging and formatting happen there, one event at a
// time. While the client reads slowly, pieces are merged instead of queued. A client that leaves cancels its
// engine requests; so does the first of several prompts that fails.
#pragma once

#include <memory>

#include "api/call.h"
#include "engine/engine.h"
#include "http/server.h"

namespace tessera::server {

/// Takes over `call` and answers through `writer`. For a worker thread. `engine` outlives the answer.
void run_generation(api::Call call, engine::Engine& engine, std::shared_ptr<http::ResponseWriter> writer);

/// The answer for `error` in the API's own form: status, Retry-After, and a log line for internal errors.
http::Response error_response(const Error& error, std::string body);

}  // namespace tessera::server
