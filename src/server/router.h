// The table of routes: method and path to handler. Wrong paths give 404, wrong methods 405 with Allow, both
// in the form of the API that the path belongs to. HEAD is GET without the body. Read-only after set-up.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/server.h"

namespace tessera::server {

using Writer = std::shared_ptr<http::ResponseWriter>;

struct Route {
  std::string method;
  std::string path;  // a path ending in '/' takes everything below it
  http::Handler handler;
};

class Router {
 public:
  explicit Router(std::vector<Route> routes) : routes_(std::move(routes)) {}

  void handle(http::Request request, const Writer& writer) const;

 private:
  std::vector<Route> routes_;
};

/// An error answer in OpenAI's form for paths under /v1/, else in the native one.
http::Response path_error(int status, std::string_view path, std::string_view message);

}  // namespace tessera::server
