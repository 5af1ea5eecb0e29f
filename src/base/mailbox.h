// Mailbox: pieces that one thread puts and another takes, in order. Unbounded.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

namespace tessera {

template <class Piece>
class Mailbox {
 public:
  void put(Piece piece) {
    const std::lock_guard lock(mutex_);
    pieces_.push_back(std::move(piece));
    // Under the lock: the reader may destroy the mailbox as soon as it has the last piece.
    arrived_.notify_one();
  }
  /// Waits for one.
  Piece take() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return !pieces_.empty(); });
    Piece piece = std::move(pieces_.front());
    pieces_.pop_front();
    return piece;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Piece> pieces_;
};

}  // namespace tessera
