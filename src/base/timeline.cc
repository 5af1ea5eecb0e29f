#include "base/timeline.h"

#include <fmt/compile.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <iterator>
#include <utility>

#include "base/log.h"

namespace tessera {
namespace {

// A few wake-ups a second cost nothing, and a server that is killed has lost a quarter of a second.
constexpr auto kWritePeriod = std::chrono::milliseconds(250);

int32_t thread_number() {
  thread_local const int32_t number = gettid();
  return number;
}

/// Microseconds with three decimals, which is what the format counts in.
void append_time(fmt::memory_buffer& out, const char* name, int64_t ns) {
  fmt::format_to(std::back_inserter(out), FMT_COMPILE(",\"{}\":{}.{:03}"), name, ns / 1000, ns % 1000);
}

void append_note(fmt::memory_buffer& out, const SpanNote& note, bool is_first) {
  if (note.name == nullptr) return;
  const auto end = std::back_inserter(out);
  if (!is_first) out.push_back(',');
  if (note.text.empty()) {
    fmt::format_to(end, FMT_COMPILE("\"{}\":{}"), note.name, note.number);
  } else {
    fmt::format_to(end, FMT_COMPILE("\"{}\":\"{}\""), note.name, note.text);
  }
}

}  // namespace

std::atomic<Timeline*> Timeline::active_ = nullptr;

Result<std::unique_ptr<Timeline>> Timeline::start(const std::filesystem::path& file) {
  if (active() != nullptr) return invalid_argument("{}: another timeline is being written", file.string());
  std::FILE* opened = std::fopen(file.c_str(), "we");
  if (opened == nullptr) return invalid_argument("{}: {}", file.string(), std::strerror(errno));
  std::unique_ptr<Timeline> timeline(new Timeline(opened));
  active_.store(timeline.get(), std::memory_order_release);
  return timeline;
}

Timeline::Timeline(std::FILE* file) : file_(file) {
  waiting_.reserve(kMaxWaiting);
  // The array form of the format needs no end: what was written until a crash opens too.
  put(fmt::format(
      "[\n{{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":{},\"args\":{{\"name\":\"tessera\"}}}}",
      getpid()));
  writer_ = std::thread([this] { write_loop(); });
}

Timeline::~Timeline() {
  active_.store(nullptr, std::memory_order_release);
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  writer_.join();
  put("\n]\n");
  const uint64_t lost = dropped_ + unwritten_;
  if (lost > 0) LOG_WARN("trace: {} events were dropped, the rest is written", lost);
  if (std::ferror(file_) != 0 || std::fclose(file_) != 0) LOG_ERROR("trace: not everything could be written");
}

int64_t Timeline::now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

void Timeline::span(const char* name, int64_t begin_ns, const SpanNote& first, const SpanNote& second) {
  add({.name = name,
       .phase = 'X',
       .thread = thread_number(),
       .id = 0,
       .begin_ns = begin_ns,
       .duration_ns = now_ns() - begin_ns,
       .first = first,
       .second = second});
}

void Timeline::begin(const char* name, uint64_t id) {
  add({.name = name,
       .phase = 'b',
       .thread = thread_number(),
       .id = id,
       .begin_ns = now_ns(),
       .duration_ns = 0,
       .first = {},
       .second = {}});
}

void Timeline::end(const char* name, uint64_t id) {
  add({.name = name,
       .phase = 'e',
       .thread = thread_number(),
       .id = id,
       .begin_ns = now_ns(),
       .duration_ns = 0,
       .first = {},
       .second = {}});
}

void Timeline::add(const Event& event) {
  const std::lock_guard lock(mutex_);
  if (waiting_.size() >= kMaxWaiting) {
    ++dropped_;
    return;
  }
  waiting_.push_back(event);
}

void Timeline::write_loop() {
  std::vector<Event> events;
  events.reserve(kMaxWaiting);
  for (bool stop = false; !stop;) {
    events.clear();
    {
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, kWritePeriod, [this] { return stop_; });
      stop = stop_;
      std::swap(events, waiting_);
    }
    write(events);
  }
}

void Timeline::write(const std::vector<Event>& events) {
  fmt::memory_buffer out;
  const int process = getpid();
  for (const Event& event : events) {
    if (written_bytes_ + out.size() > kMaxFileBytes) {
      ++unwritten_;
      continue;
    }
    const auto end = std::back_inserter(out);
    fmt::format_to(end, FMT_COMPILE(",\n{{\"name\":\"{}\",\"ph\":\"{}\",\"pid\":{},\"tid\":{}"), event.name,
                   event.phase, process, event.thread);
    append_time(out, "ts", event.begin_ns);
    if (event.phase == 'X') {
      append_time(out, "dur", event.duration_ns);
    } else {
      fmt::format_to(end, FMT_COMPILE(",\"cat\":\"request\",\"id\":{}"), event.id);
    }
    if (event.first.name != nullptr) {
      fmt::format_to(end, FMT_COMPILE(",\"args\":{{"));
      append_note(out, event.first, true);
      append_note(out, event.second, false);
      out.push_back('}');
    }
    out.push_back('}');
  }
  put({out.data(), out.size()});
  std::fflush(file_);
}

void Timeline::put(std::string_view text) {
  written_bytes_ += std::fwrite(text.data(), 1, text.size(), file_);
}

}  // namespace tessera
