// RequestMeter: what one request's outputs say about its speed, told to Metrics as they come. Not
// thread-safe: used on the connection, one output at a time.
#pragma once

#include <chrono>

#include "engine/request.h"
#include "server/metrics.h"

namespace tessera::server {

class RequestMeter {
 public:
  using Clock = std::chrono::steady_clock;

  /// `received`: when the HTTP request began.
  RequestMeter(Metrics& metrics, Clock::time_point received)
      : metrics_(metrics), received_(received), last_(received) {}

  /// `at`: when the engine told it.
  void on_output(const engine::Output& output, Clock::time_point at) {
    auto tokens = static_cast<int32_t>(output.ids.size());
    if (tokens > 0 && first_token_s_ == 0) {
      first_token_s_ = seconds(received_, at);
      metrics_.first_token(first_token_s_);
      last_ = at;
      --tokens;
    }
    if (tokens > 0) metrics_.next_tokens(tokens, seconds(last_, at));
    last_ = at;
    if (output.finish) metrics_.finished(output, seconds(received_, at));
  }

  double first_token_s() const { return first_token_s_; }  // 0: there was none
  double total_s() const { return seconds(received_, last_); }

 private:
  static double seconds(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double>(to - from).count();
  }

  Metrics& metrics_;
  Clock::time_point received_, last_;
  double first_token_s_ = 0;
};

}  // namespace tessera::server
