#include "server/signals.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace tessera::server {
namespace {

// A signal handler can reach nothing but globals.
std::atomic<int> write_end{-1};
std::atomic<int> received{0};
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void on_signal(int number) {
  const int saved = errno;
  if (received.fetch_add(1) > 0) _exit(128 + number);
  const auto byte = static_cast<unsigned char>(number);
  if (write(write_end.load(), &byte, 1) != 1) _exit(128 + number);
  errno = saved;
}

}  // namespace

Result<Signals> Signals::install() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return internal_error("pipe for signals: {}", std::strerror(errno));
  write_end.store(ends[1]);
  received.store(0);
  struct sigaction action{};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
  return Signals(ends[0]);
}

Signals::~Signals() {
  if (read_end_ < 0) return;
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  close(write_end.exchange(-1));
  close(read_end_);
}

int Signals::wait() const {
  unsigned char number = 0;
  while (read(read_end_, &number, 1) < 0 && errno == EINTR) {
  }
  return number;
}

}  // namespace tessera::server
