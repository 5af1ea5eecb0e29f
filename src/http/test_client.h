// A blocking HTTP client for tests, on plain sockets so that it can also send what no library would. Not for
// products.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

namespace tessera::http {

struct TestResponse {
  int status = 0;  // 0: the connection ended before a whole response
  std::string head;
  std::string body;  // without the chunked coding
};

class TestClient {
 public:
  explicit TestClient(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    timeval limit{.tv_sec = 20, .tv_usec = 0};  // a hung server fails the test instead of hanging it
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~TestClient() { close(); }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  bool connected() const { return connected_; }
  void close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }
  void shutdown_send() { ::shutdown(socket_, SHUT_WR); }
  void limit_receive_buffer(int bytes) { ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes); }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  bool send_request(std::string_view method, std::string_view path, std::string_view body = "",
                    std::string_view headers = "") {
    std::string request =
        std::string(method) + " " + std::string(path) + " HTTP/1.1\r\nHost: test\r\n" + std::string(headers);
    if (!body.empty()) request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    return send(request + "\r\n" + std::string(body));
  }

  TestResponse request(std::string_view method, std::string_view path, std::string_view body = "",
                       std::string_view headers = "") {
    send_request(method, path, body, headers);
    return read_response(method != "HEAD");
  }

  TestResponse read_response(bool has_body = true) {
    TestResponse response;
    response.head = read_until("\r\n\r\n");
    if (response.head.size() < 12) return response;
    const int status = std::atoi(response.head.c_str() + 9);
    if (status == 100) return {.status = 100, .head = response.head, .body = {}};
    bool whole = true;
    if (has_body && response.head.find("Transfer-Encoding: chunked") != std::string::npos) {
      for (std::string chunk; whole && read_chunk(chunk, whole);)
        response.body += chunk;
    } else if (const size_t at = response.head.find("Content-Length: ");
               has_body && at != std::string::npos) {
      const size_t length = std::strtoull(response.head.c_str() + at + 16, nullptr, 10);
      response.body = read_bytes(length);
      whole = response.body.size() == length;
    }
    if (whole) response.status = status;
    return response;
  }

  /// The next server-sent event of a stream whose head has been read: its data. Empty at the end.
  std::string read_event() {
    for (;;) {
      if (const size_t end = events_.find("\n\n"); end != std::string::npos) {
        const std::string event = events_.substr(0, end);
        events_.erase(0, end + 2);
        return event.starts_with("data: ") ? event.substr(6) : event;
      }
      std::string chunk;
      bool whole = true;
      if (!read_chunk(chunk, whole)) return {};
      events_ += chunk;
    }
  }

  std::string read_head() { return read_until("\r\n\r\n"); }

  /// Fewer at the end of the connection.
  std::string read_bytes(size_t count) {
    while (received_.size() < count && receive()) {
    }
    return take(std::min(count, received_.size()));
  }

  /// Whether the server has closed (or closes within the receive limit) without sending more.
  bool at_end() { return received_.empty() && !receive(); }

 private:
  bool receive() {
    char bytes[16384];
    const ssize_t count = ::recv(socket_, bytes, sizeof bytes, 0);
    if (count <= 0) return false;
    received_.append(bytes, static_cast<size_t>(count));
    return true;
  }
  std::string read_until(std::string_view mark) {
    size_t end;
    while ((end = received_.find(mark)) == std::string::npos) {
      if (!receive()) return {};
    }
    return take(end + mark.size());
  }
  std::string take(size_t count) {
    std::string taken = received_.substr(0, count);
    received_.erase(0, count);
    return taken;
  }
  // False at the last chunk; `whole` tells whether that came or the connection ended.
  bool read_chunk(std::string& chunk, bool& whole) {
    const std::string size = read_until("\r\n");
    whole = !size.empty();
    const size_t length = std::strtoull(size.c_str(), nullptr, 16);
    chunk = read_bytes(length);
    read_until("\r\n");
    return length > 0;
  }

  int socket_;
  bool connected_ = false;
  std::string received_;
  std::string events_;
};

}  // namespace tessera::http
