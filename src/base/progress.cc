#include "base/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace tessera {
namespace {
using namespace std::chrono_literals;
constexpr auto kQuiet = 2s;  // shorter work shows nothing
constexpr int kBarWidth = 30;
thread_local int alive = 0;
}  // namespace

Progress::Progress(std::string title, uint64_t total)
    : title_(std::move(title)),
      total_(total),
      start_(std::chrono::steady_clock::now()),
      last_shown_(start_),
      terminal_(isatty(STDERR_FILENO) != 0),
      inner_(alive++ > 0) {}

Progress::~Progress() {
  --alive;
  if (!shown_) return;
  if (terminal_) fmt::print(stderr, "\n");
}

void Progress::advance(uint64_t amount, std::string_view item) {
  done_ += amount;
  if (inner_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - start_ < kQuiet) return;
  const bool finished = done_ >= total_;
  const auto interval = terminal_ ? std::chrono::milliseconds(100) : std::chrono::milliseconds(3000);
  if (!finished && now - last_shown_ < interval) return;
  last_shown_ = now;
  show(now, item);
}

void Progress::show(std::chrono::steady_clock::time_point now, std::string_view item) {
  shown_ = true;
  const double share =
      total_ == 0 ? 1.0 : std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_));
  const double elapsed_s = std::chrono::duration<double>(now - start_).count();
  const double left_s = share > 0 ? elapsed_s * (1 - share) / share : 0;
  if (terminal_) {
    const int filled = static_cast<int>(share * kBarWidth);
    fmt::print(stderr, "\r{} [{}{}] {:3.0f} %  {:.0f} s left  {:.40}\033[K", title_, std::string(filled, '#'),
               std::string(kBarWidth - filled, '.'), share * 100, left_s, item);
  } else {
    fmt::print(stderr, "{}: {:.0f} % ({} of {}), {:.0f} s left {}\n", title_, share * 100, done_, total_,
               left_s, item);
  }
  std::fflush(stderr);
}

}  // namespace tessera
