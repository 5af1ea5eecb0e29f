#include "http/server.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "http/test_client.h"

namespace tessera::http {
namespace {

using namespace std::chrono_literals;

// A flag that one thread sets and another waits for.
class Event {
 public:
  void set() {
    const std::lock_guard lock(mutex_);
    set_ = true;
    changed_.notify_all();
  }
  bool wait(std::chrono::milliseconds limit = 10s) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, limit, [this] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

using Writer = std::shared_ptr<ResponseWriter>;

Response text(std::string body, int status = 200) {
  return {.status = status, .content_type = "text/plain", .body = std::move(body), .headers = {}};
}

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() { options_.io_threads = 2; }
  void start(Handler handler) {
    options_.host = "127.0.0.1";
    options_.port = 0;
    options_.error_response = [](int status, std::string_view message) {
      return text("error " + std::to_string(status) + ": " + std::string(message), status);
    };
    auto server = Server::start(options_, std::move(handler));
    ASSERT_TRUE(server) << server.error().message();
    server_ = std::move(*server);
  }
  // Answers with what it got.
  void start_echo() {
    start([](const Request& r, const Writer& w) { w->send(text(r.method + " " + r.path + " " + r.body)); });
  }
  TestResponse raw(std::string_view bytes) {
    TestClient client(server_->port());
    client.send(bytes);
    return client.read_response();
  }

  ServerOptions options_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, AnswersAndKeepsTheConnection) {
  start_echo();
  TestClient client(server_->port());
  for (int round = 0; round < 3; ++round) {
    const auto response = client.request("POST", "/a?b", "body", "X-Request-Id: my-id\r\n");
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "POST /a body");
    EXPECT_NE(response.head.find("X-Request-Id: my-id\r\n"), std::string::npos);
  }
  EXPECT_EQ(client.request("GET", "/", "", "Connection: close\r\n").body, "GET / ");
  EXPECT_TRUE(client.at_end());
}

TEST_F(ServerTest, HeadHasLengthAndNoBody) {
  start_echo();
  TestClient client(server_->port());
  const auto response = client.request("HEAD", "/x");
  EXPECT_NE(response.head.find("Content-Length: 8\r\n"), std::string::npos);
  EXPECT_EQ(client.request("GET", "/x").body, "GET /x ") << "the connection is out of step after HEAD";
}

TEST_F(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  // Answers come from another thread, the first one last in time.
  start([](const Request& r, const Writer& w) {
    std::thread([path = r.path, w] {
      std::this_thread::sleep_for(path == "/0" ? 50ms : 0ms);
      w->send(text(path));
    }).detach();
  });
  TestClient client(server_->port());
  std::string requests;
  for (int index = 0; index < 5; ++index)
    requests += "GET /" + std::to_string(index) + " HTTP/1.1\r\nHost: x\r\n\r\n";
  client.send(requests);
  for (int index = 0; index < 5; ++index)
    EXPECT_EQ(client.read_response().body, "/" + std::to_string(index));
}

TEST_F(ServerTest, ByteByByteRequestIsUnderstood) {
  start_echo();
  TestClient client(server_->port());
  for (const char byte : std::string(
           "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")) {
    client.send({&byte, 1});
  }
  EXPECT_EQ(client.read_response().body, "POST /p abc");
}

TEST_F(ServerTest, ExpectContinue) {
  start_echo();
  TestClient client(server_->port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_response().status, 100);
  client.send("hi");
  EXPECT_EQ(client.read_response().body, "POST / hi");
}

TEST_F(ServerTest, SteadySlowReaderIsNotStalled) {
  options_.write_stall_timeout = 500ms;
  const std::string large(size_t{12} << 20, 'x');
  start([&large](const Request&, const Writer& w) { w->send(text(large)); });
  TestClient client(server_->port());
  client.limit_receive_buffer(64 << 10);
  client.send_request("GET", "/");
  client.read_head();
  // A megabyte in more than a second: that is how long the system takes no more.
  size_t got = 0;
  for (int round = 0; round < 100; ++round) {
    got += client.read_bytes(16 << 10).size();
    std::this_thread::sleep_for(20ms);
  }
  EXPECT_EQ(got + client.read_bytes(large.size() - got).size(), large.size());
}

TEST_F(ServerTest, TimeLimitThatPassesAsTheBodyArrivesIsVoid) {
  // The only I/O thread is held up until both are there: the body is read first.
  options_.io_threads = 1;
  options_.body_timeout = 300ms;
  options_.gate = [](const Request& request) -> std::optional<Response> {
    if (request.path == "/hold") std::this_thread::sleep_for(450ms);
    return std::nullopt;
  };
  start([](const Request& r, const Writer& w) {
    std::thread([body = r.body, w] {
      std::this_thread::sleep_for(20ms);
      w->send(text(body));
    }).detach();
  });
  TestClient late(server_->port()), holder(server_->port());
  late.send("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n");
  std::this_thread::sleep_for(50ms);
  holder.send_request("GET", "/hold");
  std::this_thread::sleep_for(50ms);
  late.send("hi");
  EXPECT_EQ(late.read_response().body, "hi");
  EXPECT_EQ(holder.read_response().status, 200);
}

TEST_F(ServerTest, MalformedRequestsAreRefused) {
  options_.max_header_bytes = 4096;
  options_.max_body_bytes = 1000;
  start_echo();
  EXPECT_EQ(raw("nonsense\r\n\r\n").status, 400);
  EXPECT_EQ(raw("GET / HTTP/1.1\r\nbad header\r\n\r\n").status, 400);
  EXPECT_EQ(raw("GET /%zz HTTP/1.1\r\n\r\n").status, 400);
  EXPECT_EQ(raw("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n").status, 400);
  EXPECT_EQ(raw("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab").status, 400);
  EXPECT_EQ(raw("POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").status,
            400);
  EXPECT_EQ(raw("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nab\r\n0\r\n\r\n").status, 400);
  EXPECT_EQ(raw("GET / HTTP/2.0\r\n\r\n").status, 505);
  EXPECT_EQ(raw("POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx").status, 415);
  EXPECT_EQ(raw("GET / HTTP/1.1\r\nX: " + std::string(5000, 'a') + "\r\n\r\n").status, 431);
  EXPECT_EQ(raw("POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n").status, 413);
  EXPECT_EQ(raw("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + std::string(2000, 'a') +
                "\r\n0\r\n\r\n")
                .status,
            413);
  EXPECT_EQ(raw("GET / HTTP/1.1\r\nHost: x\r\n\r\n").status, 200);
}

TEST_F(ServerTest, RefusalReachesAClientThatIsStillSending) {
  options_.max_body_bytes = 1000;
  start_echo();
  TestClient client(server_->port());
  client.send("POST / HTTP/1.1\r\nContent-Length: 300000\r\n\r\n");
  client.send(std::string(300000, 'a'));
  EXPECT_EQ(client.read_response().status, 413);
}

TEST_F(ServerTest, SlowRequestsTimeOut) {
  options_.header_timeout = 50ms;
  options_.body_timeout = 50ms;
  options_.idle_timeout = 50ms;
  start_echo();
  EXPECT_EQ(raw("GET / HT").status, 408);
  EXPECT_EQ(raw("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab").status, 408);
  TestClient idle(server_->port());
  EXPECT_TRUE(idle.at_end());
}

TEST_F(ServerTest, GateRefusesBeforeTheBody) {
  options_.gate = [](const Request& r) -> std::optional<Response> {
    if (r.path == "/open") return std::nullopt;
    return text("no", 401);
  };
  start_echo();
  EXPECT_EQ(raw("POST /closed HTTP/1.1\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n").status,
            401);
  EXPECT_EQ(raw("GET /open HTTP/1.1\r\n\r\n").status, 200);
}

TEST_F(ServerTest, TwoStreamsProgressTogether) {
  Event second_came;
  start([&](const Request& r, const Writer& w) {
    w->begin_stream(200, "text/event-stream");
    w->write("data: first\n\n");
    if (r.path == "/b") second_came.set();
    std::thread([&, w] {
      EXPECT_TRUE(second_came.wait());
      w->write("data: second\n\n");
      w->finish();
    }).detach();
  });
  TestClient a(server_->port());
  TestClient b(server_->port());
  a.send_request("GET", "/a");
  EXPECT_NE(a.read_head().find("Transfer-Encoding: chunked"), std::string::npos);
  EXPECT_EQ(a.read_event(), "first");
  b.send_request("GET", "/b");
  b.read_head();
  EXPECT_EQ(b.read_event(), "first");
  EXPECT_EQ(a.read_event(), "second");
  EXPECT_EQ(b.read_event(), "second");
  EXPECT_EQ(a.read_event(), "");
  a.send_request("GET", "/a");
  a.read_head();
  EXPECT_EQ(a.read_event(), "first") << "the connection is out of step after a stream";
  EXPECT_EQ(a.read_event(), "second");
  EXPECT_EQ(a.read_event(), "");
}

TEST_F(ServerTest, Http10StreamEndsWithTheConnection) {
  start([](const Request&, const Writer& w) {
    w->begin_stream(200, "text/event-stream");
    w->write("data: x\n\n");
    w->finish();
  });
  TestClient client(server_->port());
  client.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.read_head().find("chunked"), std::string::npos);
  EXPECT_EQ(client.read_response().head, "");  // no further head: "data: x" is all
}

TEST_F(ServerTest, DisconnectIsNoticedWhileWaiting) {
  Event left;
  Event held;
  Writer kept;
  start([&](const Request&, const Writer& w) {
    kept = w;
    w->on_disconnect([&] { left.set(); });
    held.set();
  });
  TestClient client(server_->port());
  client.send_request("GET", "/");
  ASSERT_TRUE(held.wait());
  client.close();
  EXPECT_TRUE(left.wait()) << "a client that left was not noticed";
  Event late;
  kept->on_disconnect([&] { late.set(); });
  EXPECT_TRUE(late.wait()) << "registering after the client has left must call back at once";
  kept->send(text("nobody reads this"));
  kept.reset();
}

TEST_F(ServerTest, DisconnectIsNoticedWithinAStream) {
  Event left;
  start([&](const Request&, const Writer& w) {
    w->on_disconnect([&, w] { left.set(); });
    w->begin_stream(200, "text/event-stream");
    w->write("data: 1\n\n");
  });
  TestClient client(server_->port());
  client.send_request("GET", "/");
  client.read_head();
  EXPECT_EQ(client.read_event(), "1");
  client.close();
  EXPECT_TRUE(left.wait());
}

TEST_F(ServerTest, SlowReaderIsDropped) {
  options_.write_stall_timeout = 100ms;
  Event left;
  start([&](const Request&, const Writer& w) {
    w->on_disconnect([&, w] { left.set(); });
    w->begin_stream(200, "text/event-stream");
    for (int part = 0; part < 100; ++part)
      w->write(std::string(100'000, 'x'));
  });
  TestClient client(server_->port());
  client.send_request("GET", "/");
  EXPECT_TRUE(left.wait()) << "a reader that takes nothing was not dropped";
}

TEST_F(ServerTest, TooMuchUnreadOutputDropsTheClient) {
  options_.max_queued_bytes = 1'000'000;
  Event left;
  start([&](const Request&, const Writer& w) {
    w->on_disconnect([&, w] { left.set(); });
    w->begin_stream(200, "text/event-stream");
    for (int part = 0; part < 200; ++part)
      w->write(std::string(100'000, 'x'));
  });
  TestClient client(server_->port());
  client.send_request("GET", "/");
  EXPECT_TRUE(left.wait());
}

TEST_F(ServerTest, DroppedWriterGivesAnError) {
  start([](const Request& r, const Writer& w) {
    if (r.path == "/stream") w->begin_stream(200, "text/event-stream");
  });
  TestClient client(server_->port());
  EXPECT_EQ(client.request("GET", "/whole").status, 500);
  TestClient other(server_->port());
  other.send_request("GET", "/stream");
  EXPECT_EQ(other.read_response().status, 0) << "a cut stream must not look complete";
}

TEST_F(ServerTest, StopLetsAnswersEnd) {
  Event got;
  start([&](const Request&, const Writer& w) {
    got.set();
    std::thread([w] {
      std::this_thread::sleep_for(50ms);
      w->send(text("late"));
    }).detach();
  });
  TestClient idle(server_->port());
  TestClient busy(server_->port());
  busy.send_request("GET", "/");
  ASSERT_TRUE(got.wait());
  const uint16_t port = server_->port();
  std::thread stopper([&] { server_->stop(10s); });
  EXPECT_EQ(busy.read_response().body, "late");
  EXPECT_TRUE(idle.at_end());
  stopper.join();
  EXPECT_FALSE(TestClient(port).connected());
}

TEST_F(ServerTest, StopCutsAtTheDeadline) {
  Event got;
  Event left;
  start([&](const Request&, const Writer& w) {
    w->on_disconnect([&, w] { left.set(); });
    got.set();
  });
  TestClient client(server_->port());
  client.send_request("GET", "/");
  ASSERT_TRUE(got.wait());
  server_->stop(20ms);
  EXPECT_TRUE(left.wait(0ms)) << "the handler was not told that its client was cut off";
}

TEST_F(ServerTest, ConnectionsAreLimited) {
  options_.max_connections = 2;
  start_echo();
  TestClient a(server_->port());
  TestClient b(server_->port());
  EXPECT_EQ(a.request("GET", "/").status, 200);
  EXPECT_EQ(b.request("GET", "/").status, 200);
  TestClient c(server_->port());
  EXPECT_TRUE(c.at_end());
}

TEST_F(ServerTest, ManyConcurrentClients) {
  start_echo();
  std::vector<std::thread> clients;
  for (int client = 0; client < 8; ++client) {
    clients.emplace_back([this] {
      for (int connection = 0; connection < 10; ++connection) {
        TestClient c(server_->port());
        for (int request = 0; request < 5; ++request)
          EXPECT_EQ(c.request("POST", "/", "x").body, "POST / x");
      }
    });
  }
  for (std::thread& client : clients)
    client.join();
}

TEST(ServerStart, BadAddressesAreErrors) {
  const auto handler = [](const Request&, const Writer&) {};
  ServerOptions options;
  options.port = 0;
  EXPECT_TRUE(Server::check_address(options));
  auto first = Server::start(options, handler);
  ASSERT_TRUE(first);
  options.port = (*first)->port();
  EXPECT_EQ(Server::check_address(options).error().code(), ErrorCode::kUnavailable);
  auto second = Server::start(options, handler);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(second.error().message().find("in use"), std::string::npos);
  options.host = "no such host";
  EXPECT_EQ(Server::start(options, handler).error().code(), ErrorCode::kInvalidArgument);
  options.host = "192.0.2.1";  // documentation address, not ours
  EXPECT_EQ(Server::start(options, handler).error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace tessera::http
