#include "base/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace tessera {
namespace {

struct Topic {
  TraceTopic topic;
  std::string_view name;
};
constexpr Topic kTopics[] = {{TraceTopic::kDispatch, "dispatch"}};

const Topic* find_topic(std::string_view name) {
  for (const Topic& topic : kTopics) {
    if (topic.name == name) return &topic;
  }
  return nullptr;
}

}  // namespace

Result<bool> trace_enabled(TraceTopic topic) {
  const char* asked = std::getenv("TESSERA_TRACE");
  bool enabled = false;
  for (std::string_view rest = asked == nullptr ? "" : asked; !rest.empty();) {
    const std::string_view name = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), name.size() + 1));
    const Topic* found = find_topic(name);
    if (found == nullptr)
      return invalid_argument("TESSERA_TRACE: topic \"{}\" is unknown, expected dispatch", name);
    enabled |= found->topic == topic;
  }
  return enabled;
}

void trace_line(TraceTopic topic, std::string_view text) {
  for (const Topic& known : kTopics) {
    if (known.topic == topic) fmt::print(stderr, "{}: {}\n", known.name, text);
  }
}

}  // namespace tessera
