#include "engine/schedule_policy.h"

#include <array>
#include <utility>

namespace tessera::engine {

Result<SchedulePolicy> parse_schedule_policy(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, SchedulePolicy>, 4> kNames = {
      {{"fcfs", SchedulePolicy::kFcfs},
       {"lpm", SchedulePolicy::kLpm},
       {"random", SchedulePolicy::kRandom},
       {"dfs-weight", SchedulePolicy::kDfsWeight}}};
  for (const auto& [known, policy] : kNames) {
    if (known == name) return policy;
  }
  return invalid_argument("schedule policy {} is unknown, expected fcfs, lpm, random or dfs-weight", name);
}

}  // namespace tessera::engine
