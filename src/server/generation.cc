#include "server/generation.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>
#include <vector>

#include "api/error.h"
#include "api/json.h"
#include "base/log.h"
#include "server/request_meter.h"

namespace tessera::server {
namespace {

using Clock = std::chrono::steady_clock;

// Above this many unsent bytes, pieces wait and are merged.
constexpr size_t kCongestedBytes = size_t{64} << 10;
constexpr double kLongestRetryS = 60;

/// Only /abort_request does this to a request whose client is still there.
bool aborted_by_name(const engine::FinishReason& finish) {
  return finish.kind == engine::FinishReason::Kind::kAbort && finish.error &&
         finish.error->code() == ErrorCode::kCancelled;
}

class Generation : public std::enable_shared_from_this<Generation> {
 public:
  Generation(api::Call call, Clock::time_point received, Services services,
             std::shared_ptr<http::ResponseWriter> writer)
      : call_(std::move(call)),
        services_(std::move(services)),
        writer_(std::move(writer)),
        outputs_(call_.requests.size()),
        unfinished_(call_.requests.size()) {
    for (size_t index = 0; index < outputs_.size(); ++index) {
      items_.push_back({.meter = RequestMeter(*services_.metrics, received)});
      if (services_.log->wants_requests()) {
        items_.back().record = std::make_unique<RequestRecord>(
            RequestRecord{.rid = call_.rids[index], .request = call_.requests[index], .answer = {}});
      }
    }
  }
  ~Generation() {
    for (const Item& item : items_)
      services_.live->remove(item.key);
  }
  Generation(const Generation&) = delete;
  Generation& operator=(const Generation&) = delete;

  void start() {
    writer_->on_disconnect([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->stop();
    });
    for (size_t index = 0; index < items_.size(); ++index) {
      items_[index].key = services_.live->add(call_.rids[index], [weak = weak_from_this(), index] {
        if (const auto self = weak.lock()) self->post([self, index] { self->cancel(index); });
      });
      const auto id = services_.engine.submit(
          std::move(call_.requests[index]), [self = shared_from_this(), index](const engine::Output& output) {
            self->unread_.fetch_add(1, std::memory_order_relaxed);
            self->post([self, index, output, at = Clock::now()] { self->on_output(index, output, at); });
          });
      if (!id) {
        post([self = shared_from_this(), error = id.error()] { self->fail(error); });
        return;
      }
      post([self = shared_from_this(), index, id = *id] { self->on_submitted(index, id); });
    }
  }

 private:
  struct Item {
    RequestMeter meter;
    LiveRequests::Key key = 0;
    std::optional<engine::RequestId> id = {};  // once submitted
    bool cancelled = false;
    bool fresh = false;                          // its output has something that was not sent
    std::unique_ptr<RequestRecord> record = {};  // for the log; null: not wanted
  };

  // All below runs on the connection, one at a time.
  void post(std::function<void()> work) { writer_->run(std::move(work)); }

  void on_submitted(size_t index, engine::RequestId id) {
    items_[index].id = id;
    if (stopped_ || items_[index].cancelled) services_.engine.cancel(id);
  }

  void cancel(size_t index) {
    items_[index].cancelled = true;
    if (items_[index].id) services_.engine.cancel(*items_[index].id);
  }

  // With the first output and not before: a request that fails until then gets a status, not an event.
  void begin_stream() {
    if (begun_) return;
    begun_ = true;
    writer_->begin_stream(200, "text/event-stream");
    send(call_.reply->opening());
  }

  void on_output(size_t index, const engine::Output& output, Clock::time_point at) {
    const bool last = unread_.fetch_sub(1, std::memory_order_relaxed) == 1;
    observe(items_[index], output, at);
    if (stopped_) return;
    const bool aborted = output.finish && output.finish->kind == engine::FinishReason::Kind::kAbort;
    if (aborted && !aborted_by_name(*output.finish)) {
      return fail(output.finish->error.value_or(internal_error("aborted for an unknown reason")));
    }
    api::merge(outputs_[index], output);
    items_[index].fresh = true;
    if (output.finish) --unfinished_;
    if (call_.stream && (last || unfinished_ == 0)) send_pieces();
    if (unfinished_ == 0) complete();
  }

  // Once for all that the engine has told: formatting is what takes time here, and a piece of /generate
  // repeats all before it. A thread that is behind catches up instead of falling ever further back.
  void send_pieces() {
    begin_stream();
    if (unfinished_ > 0 && writer_->queued_bytes() >= kCongestedBytes) return;
    for (size_t index = 0; index < items_.size(); ++index) {
      if (std::exchange(items_[index].fresh, false))
        send(call_.reply->piece(index, std::exchange(outputs_[index], {})));
    }
  }

  void observe(Item& item, const engine::Output& output, Clock::time_point at) {
    item.meter.on_output(output, at);
    if (!item.record) return;
    api::merge(item.record->answer, output);
    if (!output.finish) return;
    item.record->first_token_s = item.meter.first_token_s();
    item.record->seconds = item.meter.total_s();
    services_.log->finished(*item.record);
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
    if (!begun_) {
      return writer_->send(error_response(error, call_.reply->error_body(error), services_.engine.stats()));
    }
    if (api::http_status(error.code()) == 500) LOG_ERROR("request failed: {}", error.message());
    send(call_.reply->failure(error));
    send(std::string(api::kDoneEvent));
    writer_->finish();
  }

  void stop() {
    stopped_ = true;
    for (size_t index = 0; index < items_.size(); ++index)
      cancel(index);
  }

  void send(std::string events) {
    if (!events.empty()) writer_->write(std::move(events));
  }

  api::Call call_;
  Services services_;
  std::shared_ptr<http::ResponseWriter> writer_;
  std::vector<Item> items_;              // one per request to the engine
  std::vector<engine::Output> outputs_;  // merged, not yet sent
  size_t unfinished_;
  std::atomic<int32_t> unread_{0};  // outputs that the engine has told and on_output() has not seen
  bool begun_ = false;
  bool stopped_ = false;  // answered, failed, or the client has left
};

/// What waits ahead takes that long, as far as the last second tells.
int retry_after_s(const engine::EngineStats& stats) {
  if (stats.last_prefill_tokens_per_s <= 0) return 1;
  const double seconds = static_cast<double>(stats.queued_tokens) / stats.last_prefill_tokens_per_s;
  return static_cast<int>(std::clamp(seconds, 1.0, kLongestRetryS));
}

}  // namespace

void run_generation(api::Call call, Clock::time_point received, Services services,
                    std::shared_ptr<http::ResponseWriter> writer) {
  std::make_shared<Generation>(std::move(call), received, std::move(services), std::move(writer))->start();
}

http::Response error_response(const Error& error, std::string body, const engine::EngineStats& stats) {
  http::Response response{.status = api::http_status(error.code()), .body = std::move(body), .headers = {}};
  if (response.status == 429 || response.status == 503)
    response.headers.push_back({"Retry-After", std::to_string(retry_after_s(stats))});
  if (response.status == 500) LOG_ERROR("request failed: {}", error.message());
  return response;
}

}  // namespace tessera::server
