// A server that answers at once and knows no model: what it takes to measure and to test the client alone.
// Not for products.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>

#include "base/check.h"
#include "http/server.h"

namespace tessera::bench::serving {

inline std::unique_ptr<http::Server> start_test_server(http::Handler handler) {
  http::ServerOptions options;
  options.port = 0;
  options.error_response = [](int status, std::string_view message) {
    return http::Response{.status = status, .body = std::string(message), .headers = {}};
  };
  auto server = http::Server::start(std::move(options), std::move(handler));
  CHECK(server.has_value(), "{}", server.error().message());
  return std::move(*server);
}

inline std::string url_of(const http::Server& server) {
  return fmt::format("http://127.0.0.1:{}", server.port());
}

/// One event of /generate: the text so far, of `words` words.
inline std::string generate_event(size_t words) {
  std::string text;
  for (size_t i = 0; i < words; ++i)
    text += "tile ";
  return fmt::format("data: {{\"text\": \"{}\", \"meta_info\": {{\"completion_tokens\": {}}}}}\n\n", text,
                     words);
}

/// All of an answer of /generate.
inline void answer_with_words(http::ResponseWriter& writer, size_t words) {
  writer.begin_stream(200, "text/event-stream");
  for (size_t i = 1; i <= words; ++i)
    writer.write(generate_event(i));
  writer.write("data: [DONE]\n\n");
  writer.finish();
}

}  // namespace tessera::bench::serving
