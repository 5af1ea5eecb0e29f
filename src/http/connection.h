// One client connection: reads requests one after the other, hands each to the handler, sends its answer.
// Pipelined requests wait their turn. Internal to src/http (includes Beast). Everything runs on the
// connection's strand.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "http/message.h"
#include "http/outbox.h"
#include "http/server.h"
#include "http/stream.h"

namespace tessera::http {

/// What the connections of one server share. They own it together: a connection that outlives the server (a
/// writer still held somewhere) must not find its io_context gone.
struct Shared {
  ServerOptions options;
  Handler handler;
  boost::asio::io_context io;
  std::unique_ptr<boost::asio::ssl::context> tls;  // null: none
  std::atomic<size_t> connections{0};
  std::atomic<bool> stopping{false};  // no further request per connection
  std::atomic<bool> stopped{false};   // the I/O threads are gone: nothing may be posted
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Stream::Socket socket, std::shared_ptr<Shared> shared);
  ~Connection();

  void start();
  void close_when_idle();  // any thread
  void abort();            // any thread

  /// For the writer of answer number `answer`; calls that come too late are ignored. On the strand.
  void send(uint64_t answer, const Response& response);
  void begin_stream(uint64_t answer, const Response& head);
  void write(uint64_t answer, std::string_view data);
  void finish(uint64_t answer);
  void abandon(uint64_t answer);
  void on_disconnect(uint64_t answer, std::function<void()> callback);
  void call_later(uint64_t answer, std::chrono::milliseconds delay, std::function<void()> work);

  Stream::executor_type executor() { return stream_.get_executor(); }
  const Shared& shared() const { return *shared_; }
  size_t queued_bytes() const { return queued_bytes_.load(std::memory_order_relaxed); }

 private:
  enum class Phase { kIdle, kReading, kAnswering, kLingering, kClosed };
  using Error = boost::system::error_code;

  void shake_hands();
  void wait_for_request();
  void watch();
  void on_watched(Error error, size_t bytes);
  void read_head();
  void on_head(Error error);
  void read_body();
  void on_body(Error error);
  void dispatch();
  Result<Request> take_head();

  void arm(std::chrono::milliseconds limit);
  void disarm();
  void refuse(int status, std::string_view message);
  void refuse_unreadable(Error error);
  void push(std::string_view bytes);
  void end_answer();
  void on_sent();
  void on_lost(std::string_view why);
  void linger();
  void discard();
  void close();
  bool current(uint64_t answer) const { return phase_ == Phase::kAnswering && answer == answer_ && !ended_; }
  HeadOptions head_options() const;
  void log_answer(std::string_view remark);

  std::shared_ptr<Shared> shared_;
  Stream stream_;
  std::string client_;               // address and port
  boost::asio::steady_timer timer_;  // of reading, and of call_later() while an answer is made
  Outbox outbox_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  Request request_;
  std::vector<Header> extra_headers_;  // of the answer
  Phase phase_ = Phase::kIdle;
  bool timed_out_ = false;
  bool watching_ = false;  // an async read into buffer_ is under way

  // The answer being made.
  uint64_t answer_ = 0;
  bool begun_ = false;
  bool ended_ = false;
  bool keep_alive_ = true;
  bool http10_ = false;
  int status_ = 0;
  std::function<void()> disconnect_callback_;
  std::atomic<size_t> queued_bytes_{0};
};

}  // namespace tessera::http
