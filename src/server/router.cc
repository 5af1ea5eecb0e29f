#include "server/router.h"

#include "api/error.h"

namespace tessera::server {
namespace {

bool matches(const Route& route, std::string_view path) {
  if (route.path.ends_with('/') && route.path.size() > 1) {
    return path.starts_with(route.path) && path.size() > route.path.size();
  }
  return path == route.path;
}

}  // namespace

http::Response path_error(int status, std::string_view path, std::string_view message) {
  return {.status = status,
          .body = path.starts_with("/v1/") ? api::openai_error(status, message) : api::native_error(message),
          .headers = {}};
}

void Router::handle(http::Request request, const Writer& writer) const {
  const std::string_view method = request.method == "HEAD" ? "GET" : std::string_view(request.method);
  std::string allowed;
  for (const Route& route : routes_) {
    if (!matches(route, request.path)) continue;
    if (route.method == method) return route.handler(std::move(request), writer);
    allowed += (allowed.empty() ? "" : ", ") + route.method;
  }
  if (allowed.empty()) {
    return writer->send(path_error(404, request.path, fmt::format("no such path: {}", request.path)));
  }
  const bool options = request.method == "OPTIONS";
  http::Response response = options ? http::Response{.status = 204, .body = {}, .headers = {}}
                                    : path_error(405, request.path,
                                                 fmt::format("{} does not take {}, expected {}", request.path,
                                                             request.method, allowed));
  response.headers.push_back({"Allow", allowed + ", OPTIONS"});
  writer->send(std::move(response));
}

}  // namespace tessera::server
