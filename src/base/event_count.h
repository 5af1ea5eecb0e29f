// EventCount: lets threads sleep until a condition holds that others make true. No lock, and no system call
// for who makes it true while nobody sleeps. Thread-safe.
//
//   event.wait([&] { return ready.load() == 1; });      // sleeper
//   ready.store(1); event.wake_all();                   // waker
//
// The condition's own loads, and the stores that make it true, must be sequentially consistent: then either
// the waker sees the sleeper, or the sleeper sees the condition.
#pragma once

#include <atomic>
#include <cstdint>

namespace tessera {

class EventCount {
 public:
  template <class Ready>
  void wait(const Ready& ready) {
    sleepers_.fetch_add(1);
    while (true) {
      const uint32_t turn = turn_.load();
      if (ready()) break;
      turn_.wait(turn);
    }
    sleepers_.fetch_sub(1);
  }

  void wake_all() {
    if (sleepers_.load() == 0) return;
    turn_.fetch_add(1);
    turn_.notify_all();
  }

 private:
  std::atomic<uint32_t> sleepers_{0}, turn_{0};
};

}  // namespace tessera
