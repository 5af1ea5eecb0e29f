// In which order waiting requests are admitted, by SGLang's names.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace tessera::engine {

enum class SchedulePolicy : uint8_t {
  kFcfs,       // first come, first served
  kLpm,        // longest prefix match: who finds most of its prompt in the cache
  kRandom,     // by lot
  kDfsWeight,  // along the prefix tree, depth first, where most requests wait first
};

/// fcfs | lpm | random | dfs-weight
Result<SchedulePolicy> parse_schedule_policy(std::string_view name);

}  // namespace tessera::engine
