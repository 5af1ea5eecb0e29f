// What the client itself costs: streams from a server that knows no model, and the processor time of the one
// thread that reads them. First every answer at once, as fast as it goes; then one event for every stream in
// each step, as engines send them. Build: ninja load_bench; run: load_bench [STREAMS [EVENTS [MILLISECONDS OF
// A STEP]]].
#include "bench/serving/load.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <thread>

#include "bench/serving/test_server.h"

namespace tessera::bench::serving {
namespace {

using Writer = std::shared_ptr<http::ResponseWriter>;

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// Loads `server` and says what that took.
void measure(const char* name, const http::Server& server, size_t streams, size_t events) {
  Client client({});
  Load load{.url = url_of(server) + "/generate"};
  load.requests.resize(streams, {.body = "{}", .output_tokens = 1});
  const double begin = Client::now_s(), begin_cpu = thread_seconds();
  const auto outcomes = run_load(client, load, [] {});
  const double seconds = Client::now_s() - begin, cpu = thread_seconds() - begin_cpu;
  size_t failed = 0;
  for (const Outcome& one : outcomes)
    failed += one.success && one.output_tokens == static_cast<int64_t>(events) ? 0 : 1;
  const auto all = static_cast<double>(streams * events);
  fmt::print(
      "{}: {} streams of {} events, {} failed, {:.2f} s, {:.0f} events/s; the client's thread: {:.0f} % of a "
      "core, "
      "{:.1f} us per event\n",
      name, streams, events, failed, seconds, all / seconds, 100 * cpu / seconds, cpu / all * 1e6);
}

void measure_at_once(size_t streams, size_t events) {
  const auto server = start_test_server(
      [&](const http::Request&, const Writer& writer) { answer_with_words(*writer, events); });
  measure("at once", *server, streams, events);
}

void measure_in_steps(size_t streams, size_t events, std::chrono::milliseconds step) {
  std::mutex mutex;
  std::vector<Writer> writers;
  std::thread engine;
  const auto run = [&] {
    const std::lock_guard lock(mutex);
    for (const Writer& writer : writers)
      writer->begin_stream(200, "text/event-stream");
    auto due = std::chrono::steady_clock::now();
    for (size_t i = 1; i <= events; ++i) {
      std::this_thread::sleep_until(due += step);
      const std::string event = generate_event(i);
      for (const Writer& writer : writers)
        writer->write(event);
    }
    for (const Writer& writer : std::exchange(writers, {})) {
      writer->write("data: [DONE]\n\n");
      writer->finish();
    }
  };
  const auto server = start_test_server([&](const http::Request&, const Writer& writer) {
    const std::lock_guard lock(mutex);
    writers.push_back(writer);
    if (writers.size() == streams) engine = std::thread(run);
  });
  measure(fmt::format("in steps of {} ms", step.count()).c_str(), *server, streams, events);
  engine.join();
}

}  // namespace
}  // namespace tessera::bench::serving

int main(int argc, char** argv) {
  const auto argument = [&](int at, size_t otherwise) {
    return argc > at ? std::strtoull(argv[at], nullptr, 10) : otherwise;
  };
  using namespace tessera::bench::serving;
  const size_t streams = argument(1, 1000), events = argument(2, 128);
  allow_sockets(2 * streams);
  measure_at_once(streams, events);
  measure_in_steps(streams, events, std::chrono::milliseconds(argument(3, 50)));
  return 0;
}
