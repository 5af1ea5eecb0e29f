#include "http/connection.h"

#include <boost/asio/post.hpp>
#include <boost/beast/http/read.hpp>
#include <utility>

#include "base/log.h"
#include "http/request_id.h"
#include "http/writer.h"

namespace tessera::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;

namespace {
constexpr size_t kReadBytes = 16384;
constexpr std::chrono::milliseconds kLingerTime{2000};
}  // namespace

Connection::Connection(Stream::Socket socket, std::shared_ptr<Shared> shared)
    : shared_(std::move(shared)),
      stream_(std::move(socket), shared_->tls.get()),
      timer_(stream_.get_executor()),
      outbox_(stream_, shared_->options.write_stall_timeout),
      buffer_(shared_->options.max_header_bytes + kReadBytes) {
  shared_->connections.fetch_add(1);
}

Connection::~Connection() {
  shared_->connections.fetch_sub(1);
}

void Connection::start() {
  Error ignored;
  const auto peer = stream_.socket().remote_endpoint(ignored);
  client_ = fmt::format("{}:{}", peer.address().to_string(), peer.port());
  stream_.socket().set_option(tcp::no_delay(true), ignored);
  // The outbox is a member and keeps its owner alive while it sends: plain `this` cannot dangle.
  outbox_.start([this] { on_sent(); }, [this](std::string_view why) { on_lost(why); });
  asio::post(executor(), [self = shared_from_this()] {
    if (self->stream_.encrypted()) return self->shake_hands();
    self->wait_for_request();
  });
}

// Idle in all that matters to others: a stop closes it.
void Connection::shake_hands() {
  arm(shared_->options.header_timeout);
  stream_.async_handshake([self = shared_from_this()](Error error) {
    if (self->phase_ != Phase::kIdle) return;
    if (error || self->timed_out_) return self->close();
    self->wait_for_request();
  });
}

void Connection::close_when_idle() {
  asio::post(executor(), [self = shared_from_this()] {
    if (self->phase_ == Phase::kIdle) self->close();
  });
}

void Connection::abort() {
  asio::post(executor(), [self = shared_from_this()] {
    if (self->phase_ == Phase::kAnswering && !self->ended_) return self->on_lost("the server stops");
    self->close();
  });
}

// ---- reading ----

void Connection::wait_for_request() {
  phase_ = Phase::kIdle;
  if (shared_->stopping.load()) return close();
  if (buffer_.size() == 0) {
    arm(shared_->options.idle_timeout);
    return watch();
  }
  // A pipelined request is here already. A pending watch owns the buffer: its completion goes on.
  Error ignored;
  if (watching_) {
    stream_.socket().cancel(ignored);
  } else {
    read_head();
  }
}

void Connection::watch() {
  if (watching_ || buffer_.size() + kReadBytes > buffer_.max_size()) return;
  watching_ = true;
  stream_.async_read_some(
      buffer_.prepare(kReadBytes),
      [self = shared_from_this()](Error error, size_t bytes) { self->on_watched(error, bytes); });
}

void Connection::on_watched(Error error, size_t bytes) {
  watching_ = false;
  buffer_.commit(bytes);
  if (phase_ == Phase::kIdle) {
    const bool cancelled_for_pipelined = error == asio::error::operation_aborted && buffer_.size() > 0;
    if (timed_out_ || (error && !cancelled_for_pipelined)) return close();
    return read_head();
  }
  if (phase_ == Phase::kLingering) return discard();
  if (phase_ != Phase::kAnswering) return;
  if (error && ended_) {
    keep_alive_ = false;  // it may have shut down its sending side only: let it have the rest
    return;
  }
  if (error) return on_lost("the client is gone");
  watch();
}

void Connection::read_head() {
  phase_ = Phase::kReading;
  begun_ = ended_ = false;
  status_ = 0;
  keep_alive_ = false;  // until the head has been understood
  request_ = {};
  request_.received = std::chrono::steady_clock::now();
  extra_headers_.clear();
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(shared_->options.max_header_bytes));
  parser_->body_limit(shared_->options.max_body_bytes);
  arm(shared_->options.header_timeout);
  beast::http::async_read_header(stream_, buffer_, *parser_,
                                 [self = shared_from_this()](Error error, size_t) { self->on_head(error); });
}

Result<Request> Connection::take_head() {
  const auto& head = parser_->get();
  Request request;
  request.received = request_.received;
  request.method = std::string(head.method_string());
  request.target = std::string(head.target());
  for (const auto& field : head) {
    request.headers.push_back({std::string(field.name_string()), std::string(field.value())});
  }
  request.id = usable_request_id(request.header("x-request-id"));
  Target target = TRY(parse_target(request.target));
  request.path = std::move(target.path);
  request.query = std::move(target.query);
  return request;
}

void Connection::on_head(Error error) {
  if (phase_ != Phase::kReading) return;
  if (error) return refuse_unreadable(error);
  const auto& head = parser_->get();
  if (head.version() != 10 && head.version() != 11) return refuse(505, "HTTP/1.0 or HTTP/1.1 expected");
  http10_ = head.version() == 10;
  auto request = take_head();
  if (!request) return refuse(400, request.error().message());
  request_ = std::move(*request);
  if (shared_->options.extra_headers) extra_headers_ = shared_->options.extra_headers(request_);
  const std::string_view coding = request_.header("content-encoding");
  if (!coding.empty() && !equals_ignoring_case(coding, "identity")) {
    return refuse(415, "Content-Encoding is not supported, send the body as it is");
  }
  if (shared_->options.gate) {
    if (auto refusal = shared_->options.gate(request_)) {
      phase_ = Phase::kAnswering;
      return send(++answer_, *refusal);
    }
  }
  const std::string_view expectation = request_.header("expect");
  if (!expectation.empty()) {
    if (!equals_ignoring_case(expectation, "100-continue"))
      return refuse(417, "only Expect: 100-continue is known");
    if (!parser_->is_done() && buffer_.size() == 0) push("HTTP/1.1 100 Continue\r\n\r\n");
  }
  read_body();
}

void Connection::read_body() {
  if (parser_->is_done()) return on_body({});
  arm(shared_->options.body_timeout);
  beast::http::async_read(stream_, buffer_, *parser_,
                          [self = shared_from_this()](Error error, size_t) { self->on_body(error); });
}

void Connection::on_body(Error error) {
  if (phase_ != Phase::kReading) return;
  if (error) return refuse_unreadable(error);
  disarm();
  keep_alive_ = parser_->get().keep_alive();
  request_.body = std::move(parser_->get().body());
  dispatch();
}

void Connection::dispatch() {
  phase_ = Phase::kAnswering;
  ++answer_;
  // Room for a large body is not kept for as long as the connection lives.
  if (buffer_.size() == 0 && buffer_.capacity() > kReadBytes) buffer_.shrink_to_fit();
  watch();
  std::string body = std::move(request_.body);
  Request request = request_;  // the head stays here for the log line
  request.body = std::move(body);
  shared_->handler(std::move(request), make_writer(shared_from_this(), answer_));
}

void Connection::refuse_unreadable(Error error) {
  namespace http = beast::http;
  if (timed_out_) return refuse(408, "the request did not arrive in time");
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return refuse(431, fmt::format("headers are larger than {} bytes", shared_->options.max_header_bytes));
  }
  if (error == http::error::body_limit) {
    return refuse(413, fmt::format("the body is larger than {} bytes", shared_->options.max_body_bytes));
  }
  if (error == http::error::bad_version) return refuse(505, "HTTP/1.0 or HTTP/1.1 expected");
  const bool malformed = error.category() == make_error_code(http::error::bad_method).category() &&
                         error != http::error::end_of_stream && error != http::error::partial_message;
  if (malformed) return refuse(400, fmt::format("malformed HTTP: {}", error.message()));
  close();
}

// ---- answering ----

HeadOptions Connection::head_options() const {
  return {.request_id = request_.id,
          .keep_alive = keep_alive_ && !shared_->stopping.load(),
          .http10 = http10_,
          .extra = extra_headers_};
}

void Connection::refuse(int status, std::string_view message) {
  if (request_.id.empty()) request_.id = new_request_id();
  phase_ = Phase::kAnswering;
  keep_alive_ = false;
  send(++answer_, shared_->options.error_response ? shared_->options.error_response(status, message)
                                                  : Response{.status = status,
                                                             .content_type = "text/plain",
                                                             .body = std::string(message),
                                                             .headers = {}});
}

void Connection::send(uint64_t answer, const Response& response) {
  if (!current(answer) || begun_) return;
  disarm();
  begun_ = true;
  status_ = response.status;
  std::string bytes = response_head(response, static_cast<int64_t>(response.body.size()), head_options());
  if (request_.method != "HEAD") bytes += response.body;
  if (keep_alive_ && shared_->stopping.load()) keep_alive_ = false;
  ended_ = true;
  push(bytes);
}

void Connection::begin_stream(uint64_t answer, const Response& head) {
  if (!current(answer) || begun_) return;
  begun_ = true;
  status_ = head.status;
  if (http10_) keep_alive_ = false;
  push(response_head(head, -1, head_options()));
}

void Connection::write(uint64_t answer, std::string_view data) {
  if (!current(answer) || !begun_ || data.empty()) return;
  if (http10_) {
    push(data);
  } else {
    push(encode_chunk(data));
  }
  if (outbox_.queued_bytes() > shared_->options.max_queued_bytes) on_lost("the client reads too slowly");
}

void Connection::finish(uint64_t answer) {
  if (!current(answer) || !begun_) return;
  ended_ = true;
  if (http10_) {
    if (outbox_.empty()) on_sent();
  } else {
    push(kLastChunk);
  }
}

void Connection::abandon(uint64_t answer) {
  if (!current(answer)) return;
  LOG_ERROR("request {} was dropped without an answer", request_.id);
  // A stream cut without its last chunk is how HTTP/1.1 says that it is incomplete.
  if (begun_) return on_lost("its answer was abandoned");
  refuse(500, "the server dropped the request");
}

void Connection::on_disconnect(uint64_t answer, std::function<void()> callback) {
  if (current(answer)) {
    disconnect_callback_ = std::move(callback);
  } else if (answer == answer_ && !ended_) {
    callback();
  }
}

void Connection::call_later(uint64_t answer, std::chrono::milliseconds delay, std::function<void()> work) {
  if (!current(answer)) return;
  timer_.expires_after(delay);
  timer_.async_wait([self = shared_from_this(), answer, work = std::move(work)](Error error) {
    const bool replaced = self->timer_.expiry() > std::chrono::steady_clock::now();
    if (!error && !replaced && self->current(answer)) work();
  });
}

void Connection::push(std::string_view bytes) {
  outbox_.push(bytes, shared_from_this());
  queued_bytes_.store(outbox_.queued_bytes(), std::memory_order_relaxed);
}

void Connection::on_sent() {
  queued_bytes_.store(0, std::memory_order_relaxed);
  if (phase_ == Phase::kAnswering && ended_) end_answer();
}

void Connection::end_answer() {
  disconnect_callback_ = nullptr;
  log_answer("");
  if (keep_alive_ && !shared_->stopping.load()) return wait_for_request();
  if (parser_->is_done() && buffer_.size() == 0) return close();
  linger();
}

void Connection::on_lost(std::string_view why) {
  if (phase_ == Phase::kClosed) return;
  const auto callback = std::exchange(disconnect_callback_, nullptr);
  if (phase_ == Phase::kAnswering && !(ended_ && outbox_.empty())) log_answer(why);
  close();
  if (callback) callback();
}

void Connection::log_answer(std::string_view remark) {
  if (!shared_->options.on_answered) return;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - request_.received;
  shared_->options.on_answered({.method = request_.method.empty() ? "?" : std::string_view(request_.method),
                                .target = request_.target,
                                .client = client_,
                                .id = request_.id,
                                .status = status_,
                                .seconds = took.count(),
                                .remark = remark});
}

// ---- ending ----

void Connection::arm(std::chrono::milliseconds limit) {
  timed_out_ = false;
  timer_.expires_after(limit);
  timer_.async_wait([self = shared_from_this()](Error error) {
    if (error || self->timer_.expiry() > std::chrono::steady_clock::now()) return;
    self->timed_out_ = true;
    Error ignored;
    self->stream_.socket().cancel(ignored);
  });
}

// Not cancel(): an expiry that is already queued must see that it is void.
void Connection::disarm() {
  timer_.expires_at(std::chrono::steady_clock::time_point::max());
}

// Closing a socket with unread bytes resets it, and the client may lose the answer: so say that nothing more
// comes, and read what still arrives for a short while.
void Connection::linger() {
  phase_ = Phase::kLingering;
  Error ignored;
  stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  arm(kLingerTime);
  if (!watching_) discard();
}

void Connection::discard() {
  buffer_.clear();
  if (timed_out_) return close();
  watching_ = true;
  stream_.async_read_some(buffer_.prepare(kReadBytes), [self = shared_from_this()](Error error, size_t) {
    self->watching_ = false;
    if (error || self->phase_ != Phase::kLingering) return self->close();
    self->discard();
  });
}

void Connection::close() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  disarm();
  outbox_.close();
  Error ignored;
  stream_.socket().close(ignored);
}

}  // namespace tessera::http
