#include "cli/http_options.h"

#include <set>

namespace tessera::cli {
namespace {

const std::set<std::string> kInfoLevels = {"trace", "debug", "info"};

void add_seconds(CLI::App& command, const char* name, double& seconds, const char* help) {
  command.add_option(name, seconds, help)->check(CLI::Range(0.001, 86400.0))->capture_default_str();
}

void add_count(CLI::App& command, const char* name, size_t& count, const char* help) {
  command.add_option(name, count, help)->check(CLI::Range(size_t{1}, size_t{1} << 30))->capture_default_str();
}

void add_access(CLI::App& command, HttpOptions& options) {
  command.add_option("--host", options.host, "address to listen on")->capture_default_str();
  command.add_option("--port", options.port, "port to listen on, 0: any free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command.add_option("--api-key", options.api_keys,
                     "clients must send it as Authorization: Bearer KEY; may be given several times");
  command.add_option("--api-key-file", options.api_key_file, "more keys, one a line");
  command.add_option("--ssl-certfile", options.tls.certificate_file, "PEM file: serve https");
  command.add_option("--ssl-keyfile", options.tls.key_file, "PEM file of its key");
  command.add_option("--ssl-keyfile-password", options.tls.key_password, "of the key, if it is encrypted");
  command.add_option("--cors-allow-origins", options.cors_allow_origins,
                     "origins of web pages that may use the server, *: any (default: none)");
}

void add_limits(CLI::App& command, HttpOptions& options) {
  add_count(command, "--max-connections", options.max_connections, "open at the same time");
  add_count(command, "--max-header-bytes", options.max_header_bytes, "of a request");
  add_count(command, "--max-body-bytes", options.limits.body_bytes, "of a request");
  add_count(command, "--max-json-depth", options.limits.json_depth, "of a request's body");
  add_count(command, "--max-messages", options.limits.messages, "of a chat request");
  add_count(command, "--max-prompts", options.limits.prompts, "of a request, n counted");
  add_count(command, "--max-inputs", options.limits.inputs, "of a request for embeddings");
  add_seconds(command, "--header-timeout", options.header_timeout_s, "seconds for a request's headers");
  add_seconds(command, "--body-timeout", options.body_timeout_s, "seconds for a request's body");
  add_seconds(command, "--keep-alive-timeout", options.keep_alive_timeout_s,
              "seconds until an idle connection is closed");
  add_seconds(command, "--write-stall-timeout", options.write_stall_timeout_s,
              "seconds until a client that takes no byte of its answer is dropped");
  add_seconds(command, "--health-timeout", options.health_timeout_s,
              "seconds that /health_generate waits for the engine");
}

void add_logs(CLI::App& command, HttpOptions& options) {
  command.add_flag("--enable-metrics", options.enable_metrics, "offer /metrics for Prometheus");
  command.add_flag("--log-requests", options.log.requests, "log counts, parameters and texts of requests");
  command
      .add_option("--log-requests-level", options.log.level,
                  "0: counts, 1: and parameters, 2: and the texts' first 2048 bytes, 3: and all of them")
      ->check(CLI::Range(0, 3))
      ->capture_default_str();
  command
      .add_option_function<std::string>(
          "--log-requests-format", [&options](const std::string& name) { options.log.json = name == "json"; },
          "of the lines about requests: text, in the log, or json, on standard output (default: text)")
      ->check(CLI::IsMember({"text", "json"}));
  command
      .add_option_function<std::string>(
          "--log-level-http",
          [&options](const std::string& name) { options.log.answers = kInfoLevels.contains(name); },
          "warning or above: no line for each HTTP answer (default: info)")
      ->check(CLI::IsMember({"trace", "debug", "info", "warning", "warn", "error", "critical", "off"}));
}

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
}

http::ServerOptions network(const HttpOptions& options) {
  http::ServerOptions http;
  http.host = options.host;
  http.port = static_cast<uint16_t>(options.port);
  http.tls = options.tls;
  http.max_connections = options.max_connections;
  http.max_header_bytes = options.max_header_bytes;
  http.max_body_bytes = options.limits.body_bytes;
  http.header_timeout = milliseconds(options.header_timeout_s);
  http.body_timeout = milliseconds(options.body_timeout_s);
  http.idle_timeout = milliseconds(options.keep_alive_timeout_s);
  http.write_stall_timeout = milliseconds(options.write_stall_timeout_s);
  return http;
}

}  // namespace

void add_http_options(CLI::App& command, HttpOptions& options) {
  add_access(command, options);
  add_limits(command, options);
  add_logs(command, options);
}

Result<server::ServerOptions> make_server_options(const HttpOptions& options) {
  server::ServerOptions server;
  server.http = network(options);
  server.api_keys = options.api_keys;
  if (!options.api_key_file.empty()) {
    const auto more = TRY(http::read_api_keys(options.api_key_file));
    server.api_keys.insert(server.api_keys.end(), more.begin(), more.end());
  }
  server.cors_origins = options.cors_allow_origins;
  server.enable_metrics = options.enable_metrics;
  server.log = options.log;
  server.health_limit = milliseconds(options.health_timeout_s);
  return server;
}

void describe(const HttpOptions& options, nlohmann::ordered_json& info) {
  info["host"] = options.host;
  info["port"] = options.port;
  info["enable_metrics"] = options.enable_metrics;
  info["log_requests"] = options.log.requests;
  info["log_requests_level"] = options.log.level;
  info["max_connections"] = options.max_connections;
  info["max_body_bytes"] = options.limits.body_bytes;
}

}  // namespace tessera::cli
