// An HTTP/1.1 server on asynchronous sockets (Boost.Asio, Beast's parser; hidden here). It knows no model: it
// parses within limits, calls a handler, and carries the answer back, whole or as a stream, with
// back-pressure.
//
// A handler runs on an I/O thread and must not block: it hands long work to other threads, which answer
// through the ResponseWriter. A client that leaves (also one that only shuts down its sending side) is
// noticed while its answer is being made, streaming or not, and reported through on_disconnect.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/message.h"

namespace tessera::http {

/// The answer to one request. Thread-safe; every call returns at once. A writer that is dropped without an
/// answer sends a 500, or cuts the stream short. After the client has left, calls other than run() do
/// nothing.
class ResponseWriter {
 public:
  virtual ~ResponseWriter() = default;

  /// The whole answer.
  virtual void send(Response response) = 0;

  /// A streamed answer: begin, any number of writes, finish.
  virtual void begin_stream(int status, std::string content_type) = 0;
  virtual void write(std::string data) = 0;
  virtual void finish() = 0;

  /// Runs `work` on the connection's own thread of execution: one at a time and in the order of the calls,
  /// even after the client has left. The way to keep formatting off the engine thread.
  virtual void run(std::function<void()> work) = 0;

  /// Bytes written and not yet taken by the operating system. A producer that can hold back or merge its
  /// pieces looks here first: above ServerOptions::max_queued_bytes the connection is dropped.
  virtual size_t queued_bytes() const = 0;

  /// Called once, inside run(), when the client leaves before the answer is complete; at once if it has left
  /// already.
  virtual void on_disconnect(std::function<void()> callback) = 0;

  /// Runs `work` inside run() when `delay` has passed, unless the answer is complete or the client has left
  /// by then. A later call replaces an earlier one.
  virtual void call_later(std::chrono::milliseconds delay, std::function<void()> work) = 0;
};

using Handler = std::function<void(Request request, std::shared_ptr<ResponseWriter> writer)>;

/// PEM files; both empty: no TLS.
struct TlsOptions {
  std::string certificate_file;  // the server's, then the chain
  std::string key_file;
  std::string key_password;
};

/// One answer given, or not given, for the access log.
struct AccessRecord {
  std::string_view method;  // "?" if the request could not be read
  std::string_view target;
  std::string_view client;  // address and port
  std::string_view id;
  int status = 0;           // 0: none was sent
  double seconds = 0;       // from the first byte of the request to the last of the answer
  std::string_view remark;  // why the answer is incomplete, else empty
};

struct ServerOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 30000;  // 0: any free one
  TlsOptions tls;
  int io_threads = 1;
  size_t max_connections = 4096;
  size_t max_header_bytes = size_t{64} << 10;
  size_t max_body_bytes = size_t{16} << 20;
  size_t max_queued_bytes = size_t{16} << 20;
  std::chrono::milliseconds header_timeout{10'000};  // from a request's first byte to its blank line
  std::chrono::milliseconds body_timeout{60'000};
  std::chrono::milliseconds idle_timeout{75'000};         // between requests
  std::chrono::milliseconds write_stall_timeout{30'000};  // without the client taking a byte

  /// Sees method, path and headers before the body is read; an answer refuses the request and closes.
  std::function<std::optional<Response>(const Request&)> gate;
  /// The body of errors that arise here (malformed, too large, too slow).
  std::function<Response(int status, std::string_view message)> error_response;
  /// More headers for whatever answers this request.
  std::function<std::vector<Header>(const Request&)> extra_headers;
  /// After every answer, on an I/O thread.
  std::function<void(const AccessRecord&)> on_answered;
};

class Server {
 public:
  /// Whether start() could bind now; the same errors. To fail before long preparations.
  static Status check_address(const ServerOptions& options);

  /// Binds, listens and starts the I/O threads. kUnavailable when the address is taken, kInvalidArgument when
  /// it or a TLS file is bad.
  static Result<std::unique_ptr<Server>> start(ServerOptions options, Handler handler);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  uint16_t port() const;

  /// Accepts no more, lets answers under way end until `deadline`, then cuts them; returns when all I/O has
  /// ended. Called by the destructor with a deadline of zero. What still holds a writer must be gone before
  /// the destructor.
  void stop(std::chrono::milliseconds deadline);

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tessera::http
