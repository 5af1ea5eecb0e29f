// What the client itself costs: 1,000 streams from a server that answers at once, and the processor time of
// the one thread that reads them. Build: ninja load_bench; run: load_bench [STREAMS [EVENTS]].
#include "bench/serving/load.h"

#include <fmt/format.h>

#include <cstdlib>
#include <ctime>

#include "bench/serving/test_server.h"

namespace tessera::bench::serving {
namespace {

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

void measure(size_t streams, size_t events) {
  allow_sockets(2 * streams);
  std::vector<std::string> pieces;
  size_t bytes = 0;
  for (size_t i = 1; i <= events; ++i)
    bytes += pieces.emplace_back(generate_event(i)).size();
  const auto server =
      start_test_server([&](const http::Request&, const std::shared_ptr<http::ResponseWriter>& writer) {
        writer->begin_stream(200, "text/event-stream");
        for (const std::string& piece : pieces)
          writer->write(piece);
        writer->write("data: [DONE]\n\n");
        writer->finish();
      });

  Client client({});
  Load load{.url = url_of(*server) + "/generate"};
  load.requests.resize(streams, {.body = "{}", .output_tokens = 1});
  const double begin = Client::now_s(), begin_cpu = thread_seconds();
  const auto outcomes = run_load(client, load, [] {});
  const double seconds = Client::now_s() - begin, cpu = thread_seconds() - begin_cpu;

  size_t failed = 0;
  for (const Outcome& one : outcomes)
    failed += one.success && one.output_tokens == static_cast<int64_t>(events) ? 0 : 1;
  const auto all = static_cast<double>(streams * events);
  fmt::print(
      "{} streams of {} events ({} bytes): {} failed, {:.2f} s, {:.0f} events/s; the client's thread: {:.2f} "
      "s, "
      "{:.1f} us per event, so {:.0f} events/s at most\n",
      streams, events, bytes, failed, seconds, all / seconds, cpu, cpu / all * 1e6, all / cpu);
}

}  // namespace
}  // namespace tessera::bench::serving

int main(int argc, char** argv) {
  const auto argument = [&](int at, size_t otherwise) {
    return argc > at ? std::strtoull(argv[at], nullptr, 10) : otherwise;
  };
  tessera::bench::serving::measure(argument(1, 1000), argument(2, 128));
  return 0;
}
