// The lines that tell of requests: one for every HTTP answer (the access log), and, if asked for, one for
// every request to the engine with its counts, parameters and texts. Text lines go to the log; JSON lines to
// standard output, one object each, so that nothing else is between them. Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "engine/request.h"
#include "http/server.h"
#include "text/tokenizer.h"

namespace tessera::server {

struct RequestLogOptions {
  bool answers = true;    // the access log
  bool requests = false;  // --log-requests
  /// 0: counts and times; 1: and the parameters; 2: and the first 2048 bytes of prompt and answer; 3: and all
  /// of them.
  int level = 2;
  bool json = false;
};

/// What is told of one request to the engine.
struct RequestRecord {
  std::string rid;
  engine::Request request;  // as submitted
  engine::Output answer;    // whole
  double first_token_s = 0;
  double seconds = 0;
};

class RequestLog {
 public:
  /// `tokenizer` outlives it: prompts were tokens when they got here.
  RequestLog(RequestLogOptions options, const text::Tokenizer& tokenizer)
      : options_(options), tokenizer_(tokenizer) {}

  void answered(const http::AccessRecord& record) const;
  void finished(const RequestRecord& record) const;

  bool wants_requests() const { return options_.requests; }

  /// The lines, for tests.
  std::string line(const http::AccessRecord& record) const;
  std::string line(const RequestRecord& record) const;

 private:
  void write(const std::string& line) const;

  RequestLogOptions options_;
  const text::Tokenizer& tokenizer_;
};

}  // namespace tessera::server
