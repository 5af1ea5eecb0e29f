// The inference server: routes over an engine, a tokenizer and a chat template, behind HTTP. Thread-safe
// after start.
//
//   auto server = TRY(Server::start(options, card, *engine));
//   ... wait for a signal ...
//   server->drain(30);   // answers under way end, new ones get 503
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "api/call.h"
#include "api/json.h"
#include "api/model_card.h"
#include "base/result.h"
#include "engine/engine.h"
#include "http/server.h"
#include "server/router.h"
#include "server/worker_pool.h"

namespace tessera::server {

struct ServerOptions {
  http::ServerOptions http;
  std::string api_key;  // empty: open to everybody who reaches the port
  int worker_threads = 2;
  api::Json arguments = api::Json::object();  // for /get_server_info
  std::string version;
};

class Server {
 public:
  /// `engine` and what `card` points to outlive the server.
  static Result<std::unique_ptr<Server>> start(ServerOptions options, api::ModelCard card,
                                               engine::Engine& engine);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  uint16_t port() const { return http_->port(); }

  /// Generates one token through the engine, as /health_generate does; for the warm-up.
  Status generate_one_token();

  /// From now on 503 for new requests and /health; returns when every answer has been sent, or cut off after
  /// `deadline_s`. The port is closed then.
  void drain(double deadline_s);

 private:
  Server(ServerOptions options, api::ModelCard card, engine::Engine& engine);

  using Parse = Result<api::Call> (*)(std::string_view body, const api::ModelCard& card, std::string_view id);
  using Transform = Result<std::string> (*)(std::string_view body, const api::ModelCard& card);

  std::vector<Route> routes();
  http::Handler generation(Parse parse);
  http::Handler transformation(Transform transform);
  http::Handler text(std::function<std::string()> body);
  http::Handler health(bool generate);
  void on_worker(const http::Request& request, const Writer& writer, std::function<void()> job);
  std::optional<http::Response> gate(const http::Request& request) const;

  ServerOptions options_;
  api::ModelCard card_;
  engine::Engine& engine_;
  std::atomic<bool> draining_{false};
  std::unique_ptr<Router> router_;
  std::unique_ptr<WorkerPool> workers_;
  std::unique_ptr<http::Server> http_;
};

}  // namespace tessera::server
