// The life of a server process from the loaded model to the end: signals, start, warm-up, announcement,
// drain.
#pragma once

#include "api/model_card.h"
#include "engine/engine.h"
#include "server/server.h"

namespace tessera::server {

struct RunOptions {
  bool skip_warmup = false;
  double drain_timeout_s = 30;
};

/// Serves until SIGTERM or SIGINT, then drains. What `card` points to and `engine` outlive the call. Errors
/// are those of the start; the warm-up's failure is one.
Status run(ServerOptions options, api::ModelCard card, engine::Engine& engine, const RunOptions& run_options);

/// "http://127.0.0.1:30000": where a client on this machine finds the server.
std::string client_url(const std::string& host, uint16_t port, bool encrypted = false);

/// Whether only this machine reaches the host.
bool is_loopback(const std::string& host);

}  // namespace tessera::server
