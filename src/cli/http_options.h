// The options of `tessera serve` about how it is reached: addresses, keys, encryption, limits, logs. By
// SGLang's names where it has them.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "api/limits.h"
#include "base/result.h"
#include "server/server.h"

namespace tessera::cli {

struct HttpOptions {
  std::string host = "127.0.0.1";
  int port = 30000;  // 0: any free one
  std::vector<std::string> api_keys;
  std::string api_key_file;
  http::TlsOptions tls;
  std::vector<std::string> cors_allow_origins;

  size_t max_connections = 4096;
  size_t max_header_bytes = size_t{64} << 10;
  api::Limits limits;
  double header_timeout_s = 10;
  double body_timeout_s = 60;
  double keep_alive_timeout_s = 75;
  double write_stall_timeout_s = 30;
  double health_timeout_s = 20;

  bool enable_metrics = false;
  server::RequestLogOptions log;
};

/// Adds every option to `command`; values land in `options`, which outlives the parse.
void add_http_options(CLI::App& command, HttpOptions& options);

/// The same for the server. Reads the file of keys: kNotFound, kInvalidArgument.
Result<server::ServerOptions> make_server_options(const HttpOptions& options);

/// What of it /get_server_info tells: no secrets.
void describe(const HttpOptions& options, nlohmann::ordered_json& info);

}  // namespace tessera::cli
