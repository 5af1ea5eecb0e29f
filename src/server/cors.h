// Cross-origin requests: what a browser must be told before a page of another origin may use this server. Off
// unless origins are named. Credentials (cookies) are never allowed: keys travel in a header. Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "http/message.h"

namespace tessera::server {

/// Headers for the answer to `request`; none when its origin is not among `origins` ("*": any).
std::vector<http::Header> cors_headers(std::span<const std::string> origins, const http::Request& request);

}  // namespace tessera::server
