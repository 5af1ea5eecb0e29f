// Timeline: what the program does when, in a file that ui.perfetto.dev and chrome://tracing show
// (docs/profiling.md). Code opens spans; without a timeline a span is one load and one branch.
//
//   const Span span("attention", {"layer", index});   // until the end of the block
//
// Thread-safe, except that a timeline begins before and ends after whatever opens spans. Spans of one thread
// nest. Events wait in memory, at most kMaxWaiting, for a thread that writes them; what exceeds that, or
// kMaxFileBytes, is dropped, counted, and told at the end.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "base/result.h"

namespace tessera {

/// A number or a text beside a span's name. No name: none. Names and texts live as long as the timeline.
struct SpanNote {
  const char* name = nullptr;
  int64_t number = 0;
  std::string_view text = {};  // instead of the number
};

class Timeline {
 public:
  static constexpr size_t kMaxWaiting = size_t{1} << 17;        // twice 14 MB
  static constexpr uint64_t kMaxFileBytes = uint64_t{1} << 30;  // viewers take no more

  /// Creates `file` and takes events from now on. kInvalidArgument when it cannot be written, or there is a
  /// timeline already.
  static Result<std::unique_ptr<Timeline>> start(const std::filesystem::path& file);
  /// Writes what waits.
  ~Timeline();
  Timeline(const Timeline&) = delete;
  Timeline& operator=(const Timeline&) = delete;

  /// The one there is, or null.
  static Timeline* active() { return instance.load(std::memory_order_relaxed); }
  static int64_t now_ns();

  /// Something that lasted from `begin_ns` until now, on this thread.
  void span(const char* name, int64_t begin_ns, const SpanNote& first, const SpanNote& second);
  /// A stretch of a thing that no single thread has, such as a request; stretches of one `id` nest.
  void begin(const char* name, uint64_t id);
  void end(const char* name, uint64_t id);

 private:
  struct Event {
    const char* name;
    char phase;  // of the trace event format: X, b, e
    int32_t thread;
    uint64_t id;
    int64_t begin_ns, duration_ns;
    SpanNote first, second;
  };

  explicit Timeline(std::FILE* file);
  void add(const Event& event);
  void write_loop();
  void write(const std::vector<Event>& events);
  void put(std::string_view text);

  static std::atomic<Timeline*> instance;

  std::FILE* file_;
  int64_t start_ns_;            // times in the file count from here
  uint64_t written_bytes_ = 0;  // the writer's, as is:
  uint64_t unwritten_ = 0;      // events that the file had no room for
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Event> waiting_;  // guarded by mutex_, as are:
  uint64_t dropped_ = 0;
  bool stop_ = false;
  std::thread writer_;  // last: it uses all the rest
};

/// From here to the end of the block, on this thread.
class Span {
 public:
  explicit Span(const char* name, const SpanNote& first = {}, const SpanNote& second = {})
      : timeline_(Timeline::active()) {
    if (timeline_ == nullptr) return;
    name_ = name;
    first_ = first;
    second_ = second;
    begin_ns_ = Timeline::now_ns();
  }
  ~Span() {
    if (timeline_ != nullptr) timeline_->span(name_, begin_ns_, first_, second_);
  }
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  Timeline* timeline_;
  const char* name_ = nullptr;
  SpanNote first_, second_;
  int64_t begin_ns_ = 0;
};

}  // namespace tessera
