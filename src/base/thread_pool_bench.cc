// Measures ThreadPool against OpenMP on what decoding does: steps of 200 small parallel regions with serial
// gaps between them and one longer gap (sampling) at the end of a step. Prints, per way, the median and the
// 99th percentile of a step over the same work's ideal: its serial time divided by the threads. All ways run
// interleaved.
//
//   thread_pool_bench [threads] [busy processes] [seconds] [ways whose name has this]
//
// libgomp reads GOMP_SPINCOUNT and OMP_WAIT_POLICY once: run the program again with another value to see that
// variant, of OpenMP alone (workers that spin for ever disturb the other ways).
#include <immintrin.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/thread_pool.h"

namespace tessera {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kRegions = 200;

/// A chain of dependent multiplications: time that no cache and no memory changes.
void work(int64_t turns) {
  double x = 1.0;
  for (int64_t i = 0; i < turns; ++i)
    x = x * 1.0000001 + 1e-9;
  asm volatile("" ::"x"(x));
}

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double turns_per_us() {
  double best = 0;
  for (int round = 0; round < 20; ++round) {
    const auto begin = Clock::now();
    work(100'000);
    best = std::max(best, 100'000 / (seconds_since(begin) * 1e6));
  }
  return best;
}

/// One step's shape, in microseconds.
struct Shape {
  const char* name;
  double region_us;  // work of one region, all tasks together
  int tasks;
  double gap_us;    // serial, between regions
  double pause_us;  // at the end of a step
};
constexpr Shape kShapes[] = {
    {"regions of 2 us", 2, 8, 0.5, 0},
    {"regions of 20 us", 20, 8, 1, 100},
    {"regions of 100 us", 100, 8, 2, 300},
    {"regions of 100 us, 64 tasks", 100, 64, 2, 300},
};

struct Way {
  std::string name;
  std::function<void(int tasks, int64_t turns)> region;
};

/// Seconds of one step over the ideal.
double step(const Way& way, const Shape& shape, int threads, double per_us) {
  const auto task_turns = static_cast<int64_t>(shape.region_us * per_us / shape.tasks);
  const auto gap_turns = static_cast<int64_t>(shape.gap_us * per_us);
  const auto begin = Clock::now();
  for (int region = 0; region < kRegions; ++region) {
    way.region(shape.tasks, task_turns);
    work(gap_turns);
  }
  const double took_us = seconds_since(begin) * 1e6;
  work(static_cast<int64_t>(shape.pause_us * per_us));
  return took_us / (kRegions * (shape.region_us / threads + shape.gap_us));
}

double quantile(std::vector<double>& values, double q) {
  std::ranges::sort(values);
  return values[static_cast<size_t>(q * static_cast<double>(values.size() - 1))];
}

/// Processes that do nothing but use a CPU.
class Busy {
 public:
  explicit Busy(int count) {
    for (int i = 0; i < count; ++i) {
      const pid_t child = fork();
      if (child == 0) {
        while (getppid() != 1)
          work(1'000'000);
        _exit(0);
      }
      children_.push_back(child);
    }
  }
  ~Busy() {
    for (const pid_t child : children_) {
      kill(child, SIGKILL);
      waitpid(child, nullptr, 0);
    }
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  std::vector<pid_t> children_;
};

Way pool_way(std::string name, ThreadPool& pool) {
  return {std::move(name), [&pool](int tasks, int64_t turns) {
            pool.parallel_for(static_cast<size_t>(tasks), [&](size_t) { work(turns); });
          }};
}

void measure(const Shape& shape, const std::vector<Way>& ways, int threads, double per_us, double seconds) {
  std::vector<std::vector<double>> results(ways.size());
  for (const auto begin = Clock::now(); seconds_since(begin) < seconds || results[0].size() < 5;) {
    for (size_t way = 0; way < ways.size(); ++way) {
      // The workers of the way before spin on, libgomp's for some milliseconds: they must be asleep.
      std::this_thread::sleep_for(std::chrono::milliseconds(15));
      step(ways[way], shape, threads, per_us);
      for (int i = 0; i < 8; ++i)
        results[way].push_back(step(ways[way], shape, threads, per_us));
    }
  }
  std::printf("%s\n", shape.name);
  for (size_t way = 0; way < ways.size(); ++way) {
    std::printf("  %-28s %6.2f  %6.2f\n", ways[way].name.c_str(), quantile(results[way], 0.5),
                quantile(results[way], 0.99));
  }
}

int run(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : default_thread_count();
  const int busy = argc > 2 ? std::atoi(argv[2]) : 0;
  const double seconds = argc > 3 ? std::atof(argv[3]) : 4;
  if (threads < 1 || busy < 0 || seconds <= 0) {
    std::fprintf(stderr, "usage: %s [threads] [busy processes] [seconds] [ways whose name has this]\n",
                 argv[0]);
    return 2;
  }
  const Busy competitors(busy);
  using std::chrono::microseconds;
  ThreadPool pinned({.threads = threads});
  ThreadPool floating({.threads = threads, .pin = false});
  ThreadPool short_spin({.threads = threads, .spin = microseconds(20)});
  ThreadPool long_spin({.threads = threads, .spin = microseconds(1000)});
  ThreadPool no_spin({.threads = threads, .spin = microseconds(0)});
  std::vector<Way> ways = {pool_way("pool", pinned), pool_way("pool, not pinned", floating),
                           pool_way("pool, spin 20 us", short_spin), pool_way("pool, spin 1 ms", long_spin),
                           pool_way("pool, no spin", no_spin)};
  ways.push_back({"pool, everyone, static", [&](int tasks, int64_t turns) {
                    pinned.run([&](int worker, int workers) {
                      work(turns * (tasks * (worker + 1) / workers - tasks * worker / workers));
                    });
                  }});
#ifdef _OPENMP
  ways.push_back({"OpenMP static", [threads](int tasks, int64_t turns) {
#pragma omp parallel for schedule(static) num_threads(threads)
                    for (int task = 0; task < tasks; ++task)
                      work(turns);
                  }});
  ways.push_back({"OpenMP dynamic", [threads](int tasks, int64_t turns) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
                    for (int task = 0; task < tasks; ++task)
                      work(turns);
                  }});
#endif
  if (argc > 4)
    std::erase_if(ways, [&](const Way& way) { return way.name.find(argv[4]) == std::string::npos; });
  if (ways.empty()) return 2;
  std::printf("%d threads, %d busy processes; step over ideal: median, 99th percentile\n", threads, busy);
  const double per_us = turns_per_us();
  for (const Shape& shape : kShapes)
    measure(shape, ways, threads, per_us, seconds);
  return 0;
}

}  // namespace
}  // namespace tessera

int main(int argc, char** argv) {
  return tessera::run(argc, argv);
}
