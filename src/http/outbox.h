// The bytes of one connection that wait to be sent, and the clock that watches a slow reader. Only src/http
// includes this (Beast, Asio). Every call comes from the connection's strand.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "http/stream.h"

namespace tessera::http {

class Outbox {
 public:
  /// `on_empty`: everything handed over has been sent. `on_failure`: the peer is gone, or took nothing for
  /// `stall_limit`; called once, nothing is sent after it.
  Outbox(Stream& stream, std::chrono::milliseconds stall_limit)
      : stream_(stream), timer_(stream.get_executor()), stall_limit_(stall_limit) {}

  /// `owner` keeps this object and the stream alive while bytes are under way.
  void start(std::function<void()> on_empty, std::function<void(std::string_view why)> on_failure);
  void push(std::string_view bytes, const std::shared_ptr<void>& owner);

  /// Drops the callbacks, which hold no owner, and what waits.
  void close();

  size_t queued_bytes() const { return current_.size() - sent_ + waiting_.size(); }
  bool empty() const { return queued_bytes() == 0; }

 private:
  void send_some(const std::shared_ptr<void>& owner);
  void watch_for_stall(const std::shared_ptr<void>& owner);
  int unacknowledged();
  void disarm();
  void fail(std::string_view why);

  Stream& stream_;
  boost::asio::steady_timer timer_;
  std::chrono::milliseconds stall_limit_;
  std::function<void()> on_empty_;
  std::function<void(std::string_view)> on_failure_;
  std::string current_;  // being sent, from sent_ on
  size_t sent_ = 0;
  std::string waiting_;
  bool sending_ = false;
  int unacknowledged_ = 0;  // bytes that the system held for the peer when that was last looked at
};

}  // namespace tessera::http
