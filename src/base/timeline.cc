#include "base/timeline.h"

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/log.h"

namespace tessera {
namespace {

// Text is handed to the file while the second-level cache has it.
constexpr size_t kChunkBytes = size_t{64} << 10;
// A few wake-ups a second cost nothing, and a server that is killed has lost a quarter of a second.
constexpr auto kWritePeriod = std::chrono::milliseconds(250);

int32_t thread_number() {
  static std::atomic<int32_t> last = 0;
  thread_local const int32_t number = ++last;
  return number;
}

/// Appends text and numbers. Written out by hand, for the writer shares the cores with what is traced: with
/// fmt::format_to an event took three times as long.
class Appender {
 public:
  explicit Appender(fmt::memory_buffer& out) : out_(out) {}
  Appender& operator<<(std::string_view text) {
    out_.append(text);
    return *this;
  }
  Appender& operator<<(int64_t number) {
    const fmt::format_int digits(number);
    return *this << std::string_view(digits.data(), digits.size());
  }
  /// Microseconds with three decimals, which is what the format counts in.
  Appender& time(int64_t ns) {
    const int64_t fraction = ns % 1000;
    return *this << ns / 1000 << (fraction < 10 ? ".00" : fraction < 100 ? ".0" : ".") << fraction;
  }
  Appender& note(std::string_view before, const SpanNote& note) {
    if (note.name == nullptr) return *this;
    *this << before << "\"" << note.name << "\":";
    return note.text.empty() ? *this << note.number : *this << "\"" << note.text << "\"";
  }

 private:
  fmt::memory_buffer& out_;
};

}  // namespace

std::atomic<Timeline*> Timeline::instance = nullptr;

Result<std::unique_ptr<Timeline>> Timeline::start(const std::filesystem::path& file) {
  if (active() != nullptr) return invalid_argument("{}: another timeline is being written", file.string());
  std::FILE* opened = std::fopen(file.c_str(), "we");
  if (opened == nullptr) return invalid_argument("{}: {}", file.string(), std::strerror(errno));
  std::unique_ptr<Timeline> timeline(new Timeline(opened));
  instance.store(timeline.get(), std::memory_order_release);
  return timeline;
}

Timeline::Timeline(std::FILE* file) : file_(file), start_ns_(now_ns()) {
  waiting_.reserve(kMaxWaiting);
  // The array form of the format needs no end: what was written until a crash opens too.
  put(fmt::format(
      "[\n{{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,\"args\":{{\"name\":\"tessera\"}}}}"));
  writer_ = std::thread([this] { write_loop(); });
}

Timeline::~Timeline() {
  instance.store(nullptr, std::memory_order_release);
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
  Appender text(out);
  for (const Event& event : events) {
    if (written_bytes_ + out.size() > kMaxFileBytes) {
      ++unwritten_;
      continue;
    }
    text << ",\n{\"name\":\"" << event.name << "\",\"ph\":\"" << std::string_view(&event.phase, 1)
         << "\",\"pid\":1,\"tid\":" << int64_t{event.thread} << ",\"ts\":";
    text.time(event.begin_ns - start_ns_);
    if (event.phase == 'X') {
      text << ",\"dur\":";
      text.time(event.duration_ns);
    } else {
      text << ",\"cat\":\"request\",\"id\":" << static_cast<int64_t>(event.id);
    }
    if (event.first.name != nullptr) {
      text.note(",\"args\":{", event.first);
      text.note(",", event.second) << "}";
    }
    text << "}";
    if (out.size() < kChunkBytes) continue;
    put({out.data(), out.size()});
    out.clear();
  }
  put({out.data(), out.size()});
  std::fflush(file_);
}

void Timeline::put(std::string_view text) {
  written_bytes_ += std::fwrite(text.data(), 1, text.size(), file_);
}

}  // namespace tessera
