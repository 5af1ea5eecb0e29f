// The endpoints that look after the server rather than use the model: health, abort, flush, loads, metrics.
// Thread-safe; what it refers to outlives it and its answers.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "api/limits.h"
#include "server/generation.h"
#include "server/router.h"

namespace tessera::server {

constexpr const char* kShuttingDown = "the server is shutting down";

struct OperationOptions {
  std::chrono::milliseconds health_limit{20'000};  // that /health_generate waits for a step of the engine
  int32_t max_running_requests = 0;                // of the engine, for /v1/loads
  api::Limits limits;
  std::string version;
};

class Operations {
 public:
  Operations(Services services, const std::atomic<bool>& draining, OperationOptions options)
      : services_(std::move(services)), draining_(draining), options_(std::move(options)) {}

  /// 200 while requests are taken, else 503.
  void health(const http::Request& request, const Writer& writer) const;

  /// 200 as soon as the engine has made a step since the call: of others, or of one token made for this. 503
  /// when it fails or makes none within the limit.
  void health_generate(const http::Request& request, const Writer& writer) const;

  /// 200 with SGLang's text; 400 if requests run or wait, and still do after ?timeout= seconds.
  void flush_cache(const http::Request& request, const Writer& writer) const;

  /// {"rid": "..."} or {"abort_all": true}; 200 whether or not there was such a request.
  void abort_request(const http::Request& request, const Writer& writer) const;

  /// /v1/loads?include=&dp_rank=
  void loads(const http::Request& request, const Writer& writer) const;

 private:
  Services services_;
  const std::atomic<bool>& draining_;
  OperationOptions options_;
};

}  // namespace tessera::server
