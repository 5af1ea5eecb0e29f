// run_load: sends requests at given times, at most so many at once, and says what became of each.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "bench/serving/answer.h"
#include "bench/serving/client.h"

namespace tessera::bench::serving {

struct LoadRequest {
  std::string body = {};
  int64_t output_tokens = 0;  // asked for
  double due_s = 0;           // not sent before, counted from the call of run_load; ascending
};

struct Load {
  std::string url = {};
  Protocol protocol = Protocol::kGenerate;
  bool stream = true;
  size_t max_concurrency = 0;  // 0: no limit
  std::vector<LoadRequest> requests = {};
};

/// The outcomes, in the order of the requests; their times count from the call. `on_end` is called after
/// each.
std::vector<Outcome> run_load(Client& client, const Load& load, const std::function<void()>& on_end);

}  // namespace tessera::bench::serving
