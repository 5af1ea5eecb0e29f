#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <ctime>
#include <numeric>
#include <vector>

namespace tessera {
namespace {

class ThreadPoolTest : public ::testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, RunCallsEveryWorkerOnce) {
  ThreadPool pool(GetParam());
  ASSERT_EQ(pool.size(), GetParam());
  std::vector<int> calls(static_cast<size_t>(GetParam()), 0);
  for (int round = 0; round < 200; ++round) {
    pool.run([&](int worker, int workers) {
      EXPECT_EQ(workers, GetParam());
      ++calls[static_cast<size_t>(worker)];
    });
  }
  for (const int count : calls)
    EXPECT_EQ(count, 200);
}

TEST_P(ThreadPoolTest, ParallelForCallsEveryTaskOnce) {
  ThreadPool pool(GetParam());
  for (const size_t tasks : {size_t{0}, size_t{1}, size_t{2}, size_t{7}, size_t{1000}}) {
    std::vector<int> calls(tasks, 0);
    pool.parallel_for(tasks, [&](size_t task) { ++calls[task]; });
    EXPECT_EQ(std::accumulate(calls.begin(), calls.end(), 0), static_cast<int>(tasks));
    EXPECT_EQ(std::count(calls.begin(), calls.end(), 1), static_cast<long>(tasks));
  }
}

TEST_P(ThreadPoolTest, ResultsAreVisibleToTheCaller) {
  ThreadPool pool(GetParam());
  std::vector<long> sums(64, 0);
  for (long round = 1; round <= 100; ++round) {
    pool.parallel_for(sums.size(), [&](size_t task) { sums[task] += round; });
    for (const long sum : sums)
      ASSERT_EQ(sum, round * (round + 1) / 2);
  }
}

TEST_P(ThreadPoolTest, SleepingWorkersWakeUp) {
  ThreadPool pool(GetParam());
  std::vector<int> calls(static_cast<size_t>(GetParam()), 0);
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // longer than workers spin
    pool.run([&](int worker, int) { ++calls[static_cast<size_t>(worker)]; });
  }
  for (const int count : calls)
    EXPECT_EQ(count, 3);
}

// More workers than the machine has CPUs must work too.
INSTANTIATE_TEST_SUITE_P(Sizes, ThreadPoolTest, ::testing::Values(1, 2, 3, 9));

TEST(ThreadPool, StartsAndStopsIdle) {
  for (int round = 0; round < 50; ++round)
    const ThreadPool pool(3);
}

TEST(ThreadPool, FewTasksManyWorkersAndBothKindsOfJobs) {
  for (const auto spin : {std::chrono::microseconds(0), std::chrono::microseconds(50)}) {
    ThreadPool pool({.threads = 4, .spin = spin, .pin = false});
    long sum = 0;
    for (int round = 0; round < 500; ++round) {
      std::array<long, 3> parts{};
      pool.parallel_for(static_cast<size_t>(round % 4), [&](size_t task) { parts[task] = 1; });
      sum += parts[0] + parts[1] + parts[2];
      std::atomic<int> together{0};
      if (round % 7 == 0) pool.run([&](int, int) { ++together; });
      ASSERT_EQ(together.load(), round % 7 == 0 ? 4 : 0);
    }
    EXPECT_EQ(sum, 125 * (0 + 1 + 2 + 3));
  }
}

TEST(ThreadPool, RunPutsAllWorkersToWorkAtTheSameTime) {
  ThreadPool pool(3);
  std::atomic<int> inside{0};
  pool.run([&](int, int workers) {
    ++inside;
    while (inside.load() < workers)  // would hang if one thread took two turns
      std::this_thread::yield();
  });
  EXPECT_EQ(inside.load(), 3);
}

TEST(ThreadPool, ALongTaskDoesNotHoldUpTheOthers) {
  ThreadPool pool(2);
  for (int round = 0; round < 50; ++round) {
    std::atomic<int> done{0};
    pool.parallel_for(16, [&](size_t task) {
      while (task == 0 && done.load() < 15)  // would hang with fixed shares
        std::this_thread::yield();
      ++done;
    });
    ASSERT_EQ(done.load(), 16);
  }
}

TEST(ThreadPool, AnIdlePoolUsesNoProcessor) {
  ThreadPool pool(4);
  pool.run([](int, int) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const std::clock_t before = std::clock();  // of all threads of the process
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const double seconds = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  EXPECT_LT(seconds, 0.05);
}

TEST(ThreadPool, DefaultCountIsWithinTheMachine) {
  EXPECT_GE(default_thread_count(), 1);
  EXPECT_LE(default_thread_count(), static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace
}  // namespace tessera
