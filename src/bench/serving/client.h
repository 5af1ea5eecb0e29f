// Client: any number of HTTP/1.1 exchanges at once, all on the caller's thread: libcurl's sockets in one
// epoll. The caller starts exchanges and polls; what arrives is handed over inside poll(), with its time.
// Every exchange has a connection of its own, as in SGLang's script. Not thread-safe.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tessera::bench::serving {

struct Exchange {
  std::string url = {};
  const std::string* post = nullptr;  // the body of a POST, the caller's until the end; null: a GET
  /// Each piece of a 200's body as it arrives. False breaks the exchange off.
  std::function<bool(std::string_view bytes, double now_s)> on_body;
  /// Once, at the end, when its connection is free; `failure` is empty after a whole 200. May start others.
  std::function<void(std::string failure, double now_s)> on_end;
};

class Client {
 public:
  /// `headers`: lines such as "Authorization: Bearer KEY", sent with every request.
  explicit Client(const std::vector<std::string>& headers);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  /// Seconds since a fixed time.
  static double now_s();

  /// Sends a request now.
  void start(Exchange exchange);
  /// Waits up to `timeout_s` for news and handles all there is.
  void poll(double timeout_s);
  size_t active() const;

  /// One exchange from start to end: the body of a 200, or kUnavailable naming the URL. Nothing else may be
  /// active.
  Result<std::string> fetch(const std::string& url, const std::string* post = nullptr);

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

/// Lets this process have `count` sockets open at once; as many as it may, if that is fewer.
void allow_sockets(size_t count);

}  // namespace tessera::bench::serving
