#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
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

TEST(ThreadPool, DefaultCountIsWithinTheMachine) {
  EXPECT_GE(default_thread_count(), 1);
  EXPECT_LE(default_thread_count(), static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace
}  // namespace tessera
