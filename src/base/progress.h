// Progress of work that takes over two seconds: a bar on a terminal, a line every few seconds elsewhere,
// nothing for shorter work. Not thread-safe: one owner advances it. One that is made while another is alive
// on its thread is a step of that one's work and shows nothing.
//
//   Progress progress("quantizing", layers);
//   for (...) { ...; progress.advance(1, layer_name); }
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace tessera {

class Progress {
 public:
  Progress(std::string title, uint64_t total);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Finishes the line if one was shown.
  ~Progress();

  void advance(uint64_t amount, std::string_view item = {});

 private:
  void show(std::chrono::steady_clock::time_point now, std::string_view item);
  std::string title_;
  uint64_t total_, done_ = 0;
  std::chrono::steady_clock::time_point start_, last_shown_;
  bool terminal_, inner_, shown_ = false;
};

}  // namespace tessera
