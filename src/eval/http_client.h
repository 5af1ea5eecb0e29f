// HTTP from the client's side, by libcurl: one GET, or many POSTs of JSON with some of them at a time. All on
// the caller's thread. Answers other than 200 are errors that name the URL, the status and the body's
// beginning.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "base/result.h"

namespace tessera::eval {

struct HttpTarget {
  std::string url;
  std::string api_key;  // sent as a bearer token; empty: none is sent
};

/// The body. kUnavailable when there is no answer or another status.
Result<std::string> http_get(const HttpTarget& target);

/// `body(i)` is sent for every i below `count`, `parallel` at a time, and what comes back is given to
/// `answer`, in the order of arrival. The first error ends all.
Status http_post_all(const HttpTarget& target, size_t count, size_t parallel,
                     const std::function<std::string(size_t)>& body,
                     const std::function<Status(size_t, const std::string&)>& answer);

}  // namespace tessera::eval
