#include "server/cors.h"

#include <algorithm>

namespace tessera::server {

std::vector<http::Header> cors_headers(std::span<const std::string> origins, const http::Request& request) {
  if (origins.empty()) return {};
  const bool any = std::find(origins.begin(), origins.end(), "*") != origins.end();
  const std::string origin(request.header("origin"));
  std::vector<http::Header> headers;
  // The answer differs by origin: caches must know.
  if (!any) headers.push_back({"Vary", "Origin"});
  if (origin.empty() || (!any && std::find(origins.begin(), origins.end(), origin) == origins.end())) {
    return headers;
  }
  headers.push_back({"Access-Control-Allow-Origin", any ? "*" : origin});
  headers.push_back({"Access-Control-Expose-Headers", "X-Request-Id, Retry-After"});
  if (request.method == "OPTIONS" && !request.header("access-control-request-method").empty()) {
    headers.push_back({"Access-Control-Allow-Methods", "GET, POST, PUT, OPTIONS"});
    headers.push_back({"Access-Control-Allow-Headers", "Authorization, Content-Type, X-Request-Id"});
    headers.push_back({"Access-Control-Max-Age", "600"});
  }
  return headers;
}

}  // namespace tessera::server
