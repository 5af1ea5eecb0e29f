// One HTTP request as a handler sees it, and a whole answer. Plain data; no sockets, no Beast.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tessera::http {

struct Header {
  std::string name;
  std::string value;
};

struct Request {
  std::string method;  // "GET", "POST", ...
  std::string target;  // as sent, for logs
  std::string path;    // percent-decoded, without the query
  std::string query;   // after '?', not decoded
  std::vector<Header> headers;
  std::string body;
  std::string id;  // the client's x-request-id if it is usable, else generated
  std::chrono::steady_clock::time_point received;  // its first byte

  /// The value of the first header of that name (any case), or empty.
  std::string_view header(std::string_view name) const;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<Header> headers;  // beside Content-Type, Content-Length, Date, Connection and X-Request-Id
};

struct Target {
  std::string path;
  std::string query;
};

/// Splits a request target ("/a%20b?c=d", "http://host/a", "*"). kInvalidArgument on bad percent codes or a
/// NUL.
Result<Target> parse_target(std::string_view target);

/// The value of `name` in a query ("a=1&b=%20"), decoded; nothing if it is absent or badly encoded.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

/// Equal but for ASCII case.
bool equals_ignoring_case(std::string_view a, std::string_view b);

/// "Not Found" for 404; "Status" for codes nobody here sends.
std::string_view reason_phrase(int status);

/// What decides about the bytes of a response beside its content.
struct HeadOptions {
  std::string_view request_id;
  bool keep_alive = true;
  bool http10 = false;  // the client speaks HTTP/1.0: no chunks, and keep-alive must be said
  std::span<const Header> extra = {};
};

/// Status line and headers up to the blank line. `content_length` < 0: chunked, or until close for HTTP/1.0.
std::string response_head(const Response& response, int64_t content_length, const HeadOptions& options);

/// One chunk of the chunked coding; `data` is not empty.
std::string encode_chunk(std::string_view data);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace tessera::http
