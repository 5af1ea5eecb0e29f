#include "server/server.h"

#include <chrono>
#include <future>
#include <utility>

#include "api/error.h"
#include "api/openapi.h"
#include "api/server_info.h"
#include "api/tokenize.h"
#include "base/log.h"
#include "server/cors.h"

namespace tessera::server {
namespace {

constexpr size_t kMaxWaitingJobs = 1024;
constexpr std::chrono::seconds kOneTokenLimit{20};
constexpr std::chrono::milliseconds kFlushTime{5000};  // for answers that are complete, but not yet sent

bool open_path(std::string_view path) {
  return path == "/health" || path == "/health_generate";
}

OperationOptions operation_options(const ServerOptions& options, const api::Limits& limits) {
  return {.health_limit = options.health_limit,
          .max_running_requests = options.arguments.value("max_running_requests", 0),
          .limits = limits,
          .version = options.version};
}

}  // namespace

Server::Server(ServerOptions options, api::ModelCard card, engine::Engine& engine)
    : options_(std::move(options)),
      card_(std::move(card)),
      engine_(engine),
      keys_(options_.api_keys),
      services_{.engine = engine_,
                .live = std::make_shared<LiveRequests>(),
                .metrics = std::make_shared<Metrics>(card_.id),
                .log = std::make_shared<RequestLog>(options_.log, *card_.tokenizer)},
      operations_(services_, draining_, operation_options(options_, card_.limits)) {}

Server::~Server() {
  // First the connections, whose answers hold the engine; jobs that still wait find their clients gone.
  if (http_) http_->stop(std::chrono::milliseconds(0));
  workers_.reset();
}

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, api::ModelCard card,
                                              engine::Engine& engine) {
  std::unique_ptr<Server> server(new Server(std::move(options), std::move(card), engine));
  server->router_ = std::make_unique<Router>(server->routes());
  server->workers_ = std::make_unique<WorkerPool>(server->options_.worker_threads, kMaxWaitingJobs);
  server->http_ = TRY(http::Server::start(server->http_options(),
                                          [self = server.get()](http::Request request, const Writer& writer) {
                                            self->router_->handle(std::move(request), writer);
                                          }));
  return server;
}

http::ServerOptions Server::http_options() {
  http::ServerOptions http = options_.http;
  http.error_response = [](int status, std::string_view message) {
    return http::Response{.status = status, .body = api::openai_error(status, message), .headers = {}};
  };
  http.gate = [this](const http::Request& request) { return gate(request); };
  if (!options_.cors_origins.empty()) {
    http.extra_headers = [this](const http::Request& request) {
      return cors_headers(options_.cors_origins, request);
    };
  }
  http.on_answered = [this](const http::AccessRecord& record) {
    services_.metrics->answered(record.status);
    services_.log->answered(record);
  };
  return http;
}

std::vector<Route> Server::routes() {
  const http::Handler model_by_name = [this](const http::Request& request, const Writer& writer) {
    const std::string_view id = std::string_view(request.path).substr(std::string_view("/v1/models/").size());
    auto entry = api::model_entry(card_, id);
    writer->send(entry ? http::Response{.body = std::move(*entry), .headers = {}}
                       : failure(entry.error(), request.path));
  };
  std::vector<Route> routes = {
      {"POST", "/v1/chat/completions", generation(api::parse_chat)},
      {"POST", "/v1/completions", generation(api::parse_completion)},
      {"POST", "/v1/embeddings", generation(api::parse_embeddings)},
      {"GET", "/v1/models", text([this] { return api::models_list(card_); })},
      {"GET", "/v1/models/", model_by_name},
      {"POST", "/v1/tokenize", transformation(api::tokenize)},
      {"POST", "/v1/detokenize", transformation(api::detokenize)},
      {"POST", "/generate", generation(api::parse_generate)},
      {"PUT", "/generate", generation(api::parse_generate)},
      {"POST", "/encode", generation(api::parse_encode)},
      {"PUT", "/encode", generation(api::parse_encode)},
      {"POST", "/tokenize", transformation(api::tokenize)},
      {"POST", "/detokenize", transformation(api::detokenize)},
  };
  add_operations(routes);
  return routes;
}

void Server::add_operations(std::vector<Route>& routes) {
  const auto server_info = [this] {
    return api::server_info(card_, options_.arguments, engine_.stats(), options_.version);
  };
  const auto model_info = [this] { return api::model_info(card_); };
  routes.insert(routes.end(), {{"GET", "/get_model_info", text(model_info)},
                               {"GET", "/model_info", text(model_info)},
                               {"GET", "/get_server_info", text(server_info)},
                               {"GET", "/server_info", text(server_info)},
                               {"GET", "/get_load", text([this] { return api::load_info(engine_.stats()); })},
                               {"GET", "/v1/loads", operation(&Operations::loads)},
                               {"GET", "/flush_cache", operation(&Operations::flush_cache)},
                               {"POST", "/flush_cache", operation(&Operations::flush_cache)},
                               {"POST", "/abort_request", operation(&Operations::abort_request)},
                               {"GET", "/health", operation(&Operations::health)},
                               {"GET", "/health_generate", operation(&Operations::health_generate)}});
  if (options_.enable_metrics) {
    routes.push_back(
        {"GET", "/metrics", [this](const http::Request&, const Writer& writer) { metrics(writer); }});
  }
  std::vector<std::string> paths = {"/openapi.json"};
  for (const Route& route : routes)
    paths.push_back(route.path);
  routes.push_back(
      {"GET", "/openapi.json", text([body = api::openapi(paths, options_.version)] { return body; })});
}

void Server::metrics(const Writer& writer) {
  writer->send({.content_type = "text/plain; version=0.0.4; charset=utf-8",
                .body = services_.metrics->render(engine_.stats()),
                .headers = {}});
}

std::optional<http::Response> Server::gate(const http::Request& request) const {
  if (keys_.empty() || request.method == "OPTIONS" || open_path(request.path)) return std::nullopt;
  if (keys_.match(request.header("authorization"))) return std::nullopt;
  return http::Response{
      .status = 401, .body = R"({"error":"Unauthorized"})", .headers = {{"WWW-Authenticate", "Bearer"}}};
}

void Server::on_worker(const http::Request& request, const Writer& writer, std::function<void()> job) {
  if (workers_->submit(std::move(job))) return;
  auto response = path_error(429, request.path, "too many requests wait to be tokenized, try again");
  response.headers.push_back({"Retry-After", "1"});
  writer->send(std::move(response));
}

http::Response Server::failure(const Error& error, std::string_view path) const {
  const int status = api::http_status(error.code());
  return error_response(error, path_error(status, path, api::public_message(error)).body, engine_.stats());
}

http::Handler Server::generation(Parse parse) {
  return [this, parse](http::Request request, const Writer& writer) {
    if (draining_.load()) return writer->send(path_error(503, request.path, kShuttingDown));
    const auto shared = std::make_shared<http::Request>(std::move(request));
    on_worker(*shared, writer, [this, parse, shared, writer] {
      auto call = parse(shared->body, card_, shared->id);
      if (!call) return writer->send(failure(call.error(), shared->path));
      run_generation(std::move(*call), shared->received, services_, writer);
    });
  };
}

http::Handler Server::transformation(Transform transform) {
  return [this, transform](http::Request request, const Writer& writer) {
    const auto shared = std::make_shared<http::Request>(std::move(request));
    on_worker(*shared, writer, [this, transform, shared, writer] {
      auto body = transform(shared->body, card_);
      writer->send(body ? http::Response{.body = std::move(*body), .headers = {}}
                        : failure(body.error(), shared->path));
    });
  };
}

http::Handler Server::text(std::function<std::string()> body) {
  return [body = std::move(body)](const http::Request&, const Writer& writer) {
    writer->send({.body = body(), .headers = {}});
  };
}

http::Handler Server::operation(Operation method) {
  return [this, method](const http::Request& request, const Writer& writer) {
    (operations_.*method)(request, writer);
  };
}

Status Server::generate_one_token() {
  engine::Request one;
  one.prompt_ids = {0};
  one.max_new_tokens = 1;
  one.ignore_eos = true;
  const auto promise = std::make_shared<std::promise<Status>>();
  auto done = promise->get_future();
  TRY(engine_.submit(std::move(one), [promise](const engine::Output& output) {
    if (!output.finish) return;
    const bool failed = output.finish->kind == engine::FinishReason::Kind::kAbort;
    promise->set_value(failed && output.finish->error ? Status(*output.finish->error) : Status());
  }));
  if (done.wait_for(kOneTokenLimit) != std::future_status::ready) {
    return unavailable("the engine made no token within {} s", kOneTokenLimit.count());
  }
  return done.get();
}

void Server::drain(double deadline_s) {
  draining_.store(true);
  LOG_INFO("draining: no new requests, answers under way get {} s", deadline_s);
  engine_.drain(deadline_s);
  http_->stop(kFlushTime);
}

}  // namespace tessera::server
