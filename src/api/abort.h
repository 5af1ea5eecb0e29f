// POST /abort_request. Pure.
#pragma once

#include <string>
#include <string_view>

#include "api/limits.h"
#include "base/result.h"

namespace tessera::api {

struct Abort {
  bool all = false;
  std::string rid;  // unless all
};

/// {"rid": "name"} or {"abort_all": true}; neither is kInvalidArgument.
Result<Abort> parse_abort(std::string_view body, const Limits& limits);

}  // namespace tessera::api
