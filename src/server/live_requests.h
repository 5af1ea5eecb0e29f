// The requests that are being answered, under the names that their clients know, so that /abort_request finds
// them. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace tessera::server {

class LiveRequests {
 public:
  using Key = uint64_t;

  /// `abort` is called at most once per abort(), on the caller's thread; it must not block.
  Key add(std::string rid, std::function<void()> abort);
  void remove(Key key);

  /// Aborts every request of that name, or all; how many.
  size_t abort(std::string_view rid);
  size_t abort_all();

 private:
  struct Entry {
    std::string rid;
    std::function<void()> abort;
  };
  size_t abort_if(const std::function<bool(const Entry&)>& chosen);

  std::mutex mutex_;
  std::map<Key, Entry> entries_;  // guarded by mutex_
  Key next_ = 0;                  // guarded by mutex_
};

}  // namespace tessera::server
