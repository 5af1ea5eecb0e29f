// EventLines: the lines of a server-sent event stream that carry data, cut out of bytes as they arrive, and
// their data. Comments and the other fields of events are dropped; every data line counts as an event of its
// own, as in SGLang's script: none of these servers splits an event over lines.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tessera::bench::serving {

class EventLines {
 public:
  /// Calls `on_data` with the data of each line that `bytes` completes; the views live for that call.
  template <class OnData>
  void feed(std::string_view bytes, const OnData& on_data) {
    while (!bytes.empty()) {
      const size_t end = bytes.find('\n');
      if (end == std::string_view::npos) {
        begun_ += bytes;
        return;
      }
      if (begun_.empty()) {
        give(bytes.substr(0, end), on_data);
      } else {
        begun_ += bytes.substr(0, end);
        give(begun_, on_data);
        begun_.clear();
      }
      bytes.remove_prefix(end + 1);
    }
  }
  /// The last line, if nothing ended it.
  template <class OnData>
  void finish(const OnData& on_data) {
    give(begun_, on_data);
    begun_.clear();
  }
  /// Of the line that has begun.
  size_t held_bytes() const { return begun_.size(); }

 private:
  template <class OnData>
  static void give(std::string_view line, const OnData& on_data) {
    constexpr std::string_view kField = "data:";
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.starts_with(kField)) return;
    line.remove_prefix(kField.size());
    if (line.starts_with(' ')) line.remove_prefix(1);
    if (!line.empty()) on_data(line);
  }

  std::string begun_;
};

}  // namespace tessera::bench::serving
