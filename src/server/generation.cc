#include "server/generation.h"

#include <optional>
#include <utility>
#include <vector>

#include "api/error.h"
#include "api/json.h"
#include "base/log.h"

namespace tessera::server {
namespace {

// Above this many unsent bytes, pieces wait and are merged.
constexpr size_t kCongestedBytes = size_t{64} << 10;

class Generation : public std::enable_shared_from_this<Generation> {
 public:
  Generation(api::Call call, engine::Engine& engine, std::shared_ptr<http::ResponseWriter> writer)
      : call_(std::move(call)),
        engine_(engine),
        writer_(std::move(writer)),
        outputs_(call_.requests.size()),
        unfinished_(call_.requests.size()) {}

  void start() {
    writer_->on_disconnect([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->stop();
    });
    for (size_t index = 0; index < outputs_.size(); ++index) {
      const auto id = engine_.submit(std::move(call_.requests[index]),
                                     [self = shared_from_this(), index](const engine::Output& output) {
                                       self->post([self, index, output] { self->on_output(index, output); });
                                     });
      if (!id) {
        post([self = shared_from_this(), error = id.error()] { self->fail(error); });
        return;
      }
      post([self = shared_from_this(), id = *id] { self->on_submitted(id); });
    }
  }

 private:
  // All below runs on the connection, one at a time.
  void post(std::function<void()> work) { writer_->run(std::move(work)); }

  void on_submitted(engine::RequestId id) {
    ids_.push_back(id);
    if (stopped_) engine_.cancel(id);
  }

  // With the first output and not before: a request that fails until then gets a status, not an event.
  void begin_stream() {
    if (begun_) return;
    begun_ = true;
    writer_->begin_stream(200, "text/event-stream");
    send(call_.reply->opening());
  }

  void on_output(size_t index, const engine::Output& output) {
    if (stopped_) return;
    const bool aborted = output.finish && output.finish->kind == engine::FinishReason::Kind::kAbort;
    if (aborted) return fail(output.finish->error.value_or(internal_error("aborted for an unknown reason")));
    api::merge(outputs_[index], output);
    if (output.finish) --unfinished_;
    if (call_.stream) {
      begin_stream();
      if (output.finish || writer_->queued_bytes() < kCongestedBytes) {
        send(call_.reply->piece(index, std::exchange(outputs_[index], {})));
      }
    }
    if (unfinished_ == 0) complete();
  }

  void complete() {
    stopped_ = true;
    if (!call_.stream)
      return writer_->send(http::Response{.body = call_.reply->whole(outputs_), .headers = {}});
    send(call_.reply->closing());
    send(std::string(api::kDoneEvent));
    writer_->finish();
  }

  void fail(const Error& error) {
    if (stopped_) return;
    stop();
    if (!begun_) return writer_->send(error_response(error, call_.reply->error_body(error)));
    if (api::http_status(error.code()) == 500) LOG_ERROR("request failed: {}", error.message());
    send(call_.reply->failure(error));
    send(std::string(api::kDoneEvent));
    writer_->finish();
  }

  void stop() {
    stopped_ = true;
    for (const engine::RequestId id : ids_)
      engine_.cancel(id);
  }

  void send(std::string events) {
    if (!events.empty()) writer_->write(std::move(events));
  }

  api::Call call_;
  engine::Engine& engine_;
  std::shared_ptr<http::ResponseWriter> writer_;
  std::vector<engine::Output> outputs_;  // merged, not yet sent
  size_t unfinished_;
  std::vector<engine::RequestId> ids_;
  bool begun_ = false;
  bool stopped_ = false;  // answered, failed, or the client has left
};

}  // namespace

void run_generation(api::Call call, engine::Engine& engine, std::shared_ptr<http::ResponseWriter> writer) {
  std::make_shared<Generation>(std::move(call), engine, std::move(writer))->start();
}

http::Response error_response(const Error& error, std::string body) {
  http::Response response{.status = api::http_status(error.code()), .body = std::move(body), .headers = {}};
  if (response.status == 429) response.headers.push_back({"Retry-After", "1"});
  if (response.status == 500) LOG_ERROR("request failed: {}", error.message());
  return response;
}

}  // namespace tessera::server
