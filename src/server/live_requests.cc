#include "server/live_requests.h"

#include <utility>
#include <vector>

namespace tessera::server {

LiveRequests::Key LiveRequests::add(std::string rid, std::function<void()> abort) {
  const std::lock_guard lock(mutex_);
  entries_.emplace(next_, Entry{std::move(rid), std::move(abort)});
  return next_++;
}

void LiveRequests::remove(Key key) {
  const std::lock_guard lock(mutex_);
  entries_.erase(key);
}

size_t LiveRequests::abort(std::string_view rid) {
  return abort_if([rid](const Entry& entry) { return entry.rid == rid; });
}

size_t LiveRequests::abort_all() {
  return abort_if([](const Entry&) { return true; });
}

size_t LiveRequests::abort_if(const std::function<bool(const Entry&)>& chosen) {
  std::vector<std::function<void()>> aborts;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, entry] : entries_) {
      if (chosen(entry)) aborts.push_back(entry.abort);
    }
  }
  for (const auto& abort : aborts)
    abort();
  return aborts.size();
}

}  // namespace tessera::server
