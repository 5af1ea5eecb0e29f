#include "bench/serving/load.h"

#include <limits>
#include <memory>
#include <utility>

namespace tessera::bench::serving {
namespace {

class LoadRun {
 public:
  LoadRun(Client& client, const Load& load, const std::function<void()>& on_end)
      : client_(client), load_(load), on_end_(on_end), outcomes_(load.requests.size()) {}

  std::vector<Outcome> run() {
    while (next_ < load_.requests.size() || client_.active() > 0) {
      while (may_send() && due_in_s() <= 0)
        send(next_++);
      client_.poll(may_send() ? due_in_s() : std::numeric_limits<double>::infinity());
    }
    return std::move(outcomes_);
  }

 private:
  double now_s() const { return Client::now_s() - begin_s_; }
  bool may_send() const {
    return next_ < load_.requests.size() &&
           (load_.max_concurrency == 0 || client_.active() < load_.max_concurrency);
  }
  double due_in_s() const { return load_.requests[next_].due_s - now_s(); }

  void send(size_t index) {
    const LoadRequest& request = load_.requests[index];
    auto reader =
        std::make_shared<AnswerReader>(load_.protocol, load_.stream, request.output_tokens, now_s());
    client_.start({.url = load_.url,
                   .post = &request.body,
                   .on_body = [this, reader](std::string_view bytes,
                                             double now) { return reader->receive(bytes, now - begin_s_); },
                   .on_end =
                       [this, reader, index](std::string failure, double now) {
                         outcomes_[index] = failure.empty() ? std::move(*reader).finish(now - begin_s_)
                                                            : std::move(*reader).fail(std::move(failure));
                         on_end_();
                       }});
  }

  Client& client_;
  const Load& load_;
  const std::function<void()>& on_end_;
  std::vector<Outcome> outcomes_;
  double begin_s_ = Client::now_s();
  size_t next_ = 0;
};

}  // namespace

std::vector<Outcome> run_load(Client& client, const Load& load, const std::function<void()>& on_end) {
  allow_sockets(load.max_concurrency == 0 ? load.requests.size()
                                          : std::min(load.max_concurrency, load.requests.size()));
  return LoadRun(client, load, on_end).run();
}

}  // namespace tessera::bench::serving
