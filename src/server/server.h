// The inference server: routes over an engine, a tokenizer and a chat template, behind HTTP. Thread-safe
// after start.
//
//   auto server = TRY(Server::start(options, card, *engine));
//   ... wait for a signal ...
//   server->drain(30);   // answers under way end, new ones get 503
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/call.h"
#include "api/json.h"
#include "api/model_card.h"
#include "base/result.h"
#include "engine/engine.h"
#include "http/api_key.h"
#include "http/server.h"
#include "server/generation.h"
#include "server/operations.h"
#include "server/router.h"
#include "server/worker_pool.h"

namespace tessera::server {

struct ServerOptions {
  http::ServerOptions http;
  std::vector<std::string> api_keys;      // none: open to everybody who reaches the port
  std::vector<std::string> cors_origins;  // of pages that may use it from a browser; "*": any
  bool enable_metrics = false;            // /metrics
  RequestLogOptions log;
  std::chrono::milliseconds health_limit{20'000};  // that /health_generate waits for a step of the engine
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

  /// Generates one token through the engine; for the warm-up.
  Status generate_one_token();

  /// From now on 503 for new requests and /health; returns when every answer has been sent, or cut off after
  /// `deadline_s`. The port is closed then.
  void drain(double deadline_s);

 private:
  Server(ServerOptions options, api::ModelCard card, engine::Engine& engine);

  using Parse = Result<api::Call> (*)(std::string_view body, const api::ModelCard& card, std::string_view id);
  using Transform = Result<std::string> (*)(std::string_view body, const api::ModelCard& card);
  using Operation = void (Operations::*)(const http::Request& request, const Writer& writer) const;

  http::ServerOptions http_options();
  std::vector<Route> routes();
  void add_operations(std::vector<Route>& routes);
  http::Handler generation(Parse parse);
  http::Handler transformation(Transform transform);
  http::Handler operation(Operation method);
  http::Handler text(std::function<std::string()> body);
  void metrics(const Writer& writer);
  void on_worker(const http::Request& request, const Writer& writer, std::function<void()> job);
  http::Response failure(const Error& error, std::string_view path) const;
  std::optional<http::Response> gate(const http::Request& request) const;

  ServerOptions options_;
  api::ModelCard card_;
  engine::Engine& engine_;
  std::atomic<bool> draining_{false};
  http::ApiKeys keys_;
  Services services_;
  Operations operations_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<WorkerPool> workers_;
  std::unique_ptr<http::Server> http_;
};

}  // namespace tessera::server
