#include "server/run.h"

#include <utility>

#include "base/log.h"
#include "server/signals.h"

namespace tessera::server {

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

std::string client_url(const std::string& host, uint16_t port, bool encrypted) {
  std::string name = host;
  if (host.empty() || host == "0.0.0.0") name = "127.0.0.1";
  if (host == "::") name = "::1";
  if (name.find(':') != std::string::npos) name = fmt::format("[{}]", name);
  return fmt::format("{}://{}:{}", encrypted ? "https" : "http", name, port);
}

Status run(ServerOptions options, api::ModelCard card, engine::Engine& engine,
           const RunOptions& run_options) {
  const std::string host = options.http.host;
  if (options.api_keys.empty() && !is_loopback(host)) {
    LOG_WARN("{} is open to other machines and no --api-key is set: everybody who reaches it may use it",
             host);
  }
  const bool encrypted = !options.http.tls.certificate_file.empty();
  if (!card.chat_template) LOG_WARN("the model has no chat template: /v1/chat/completions is refused");
  const std::string name = card.id;
  const Signals signals = TRY(Signals::install());
  auto server = TRY(Server::start(std::move(options), std::move(card), engine));
  if (!run_options.skip_warmup) TRY_STATUS(server->generate_one_token().context("warm-up"));
  LOG_INFO("serving {} at {}", name, client_url(host, server->port(), encrypted));
  const int signal = signals.wait();
  LOG_INFO("signal {}", signal);
  server->drain(run_options.drain_timeout_s);
  LOG_INFO("stopped");
  return {};
}

}  // namespace tessera::server
