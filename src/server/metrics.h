// The server's numbers for Prometheus, under SGLang's names where it has one (sglang:...), else ours
// (tessera:...). Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/engine.h"
#include "engine/request.h"

namespace tessera::server {

class Metrics {
 public:
  explicit Metrics(const std::string& model_name);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// One request: its first token, `tokens` further ones that came `seconds` after those before them, its
  /// end.
  void first_token(double seconds);
  void next_tokens(int32_t tokens, double seconds);
  void finished(const engine::Output& last, double seconds);

  /// One HTTP answer; status 0: the client left before it.
  void answered(int status);

  /// The exposition text.
  std::string render(const engine::EngineStats& stats);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tessera::server
