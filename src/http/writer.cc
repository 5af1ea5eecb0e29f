#include "http/writer.h"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "http/connection.h"

namespace tessera::http {
namespace {

class ConnectionWriter : public ResponseWriter {
 public:
  ConnectionWriter(std::shared_ptr<Connection> connection, uint64_t answer)
      : connection_(std::move(connection)), answer_(answer) {}
  ~ConnectionWriter() override {
    // Posted even from the strand: an answer given by another thread may still be on its way there.
    if (connection_->shared().stopped.load()) return;
    boost::asio::post(connection_->executor(),
                      [keep = connection_, answer = answer_] { keep->abandon(answer); });
  }

  void send(Response response) override {
    dispatch([response = std::move(response)](Connection& c, uint64_t answer) { c.send(answer, response); });
  }
  void begin_stream(int status, std::string content_type) override {
    Response head{.status = status, .content_type = std::move(content_type), .body = {}, .headers = {}};
    // Proxies (nginx) otherwise collect a stream before they pass it on.
    head.headers = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}};
    dispatch([head = std::move(head)](Connection& c, uint64_t answer) { c.begin_stream(answer, head); });
  }
  void write(std::string data) override {
    dispatch([data = std::move(data)](Connection& c, uint64_t answer) { c.write(answer, data); });
  }
  void finish() override {
    dispatch([](Connection& c, uint64_t answer) { c.finish(answer); });
  }
  void on_disconnect(std::function<void()> callback) override {
    dispatch([callback = std::move(callback)](Connection& c, uint64_t answer) mutable {
      c.on_disconnect(answer, std::move(callback));
    });
  }
  void call_later(std::chrono::milliseconds delay, std::function<void()> work) override {
    dispatch([delay, work = std::move(work)](Connection& c, uint64_t answer) mutable {
      c.call_later(answer, delay, std::move(work));
    });
  }
  void run(std::function<void()> work) override {
    if (connection_->shared().stopped.load()) return;
    boost::asio::post(connection_->executor(), [keep = connection_, work = std::move(work)] { work(); });
  }
  size_t queued_bytes() const override { return connection_->queued_bytes(); }

 private:
  // Runs at once when called on the strand (inside run()), else in the order of the calls.
  template <class Call>
  void dispatch(Call call) {
    if (connection_->shared().stopped.load()) return;
    boost::asio::dispatch(
        connection_->executor(),
        [keep = connection_, answer = answer_, call = std::move(call)]() mutable { call(*keep, answer); });
  }

  std::shared_ptr<Connection> connection_;
  uint64_t answer_;
};

}  // namespace

std::shared_ptr<ResponseWriter> make_writer(std::shared_ptr<Connection> connection, uint64_t answer) {
  return std::make_shared<ConnectionWriter>(std::move(connection), answer);
}

}  // namespace tessera::http
