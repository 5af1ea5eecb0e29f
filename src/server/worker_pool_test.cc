#include "server/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <stdexcept>

namespace tessera::server {
namespace {

TEST(WorkerPool, RunsEverythingBeforeItEnds) {
  std::atomic<int> done{0};
  {
    WorkerPool pool(3, 1000);
    for (int job = 0; job < 500; ++job)
      ASSERT_TRUE(pool.submit([&] { ++done; }));
  }
  EXPECT_EQ(done.load(), 500);
}

TEST(WorkerPool, RefusesBeyondItsLimit) {
  std::promise<void> go;
  std::promise<void> running;
  WorkerPool pool(1, 2);
  ASSERT_TRUE(pool.submit([&] {
    running.set_value();
    go.get_future().wait();
  }));
  running.get_future().wait();
  EXPECT_TRUE(pool.submit([] {}));
  EXPECT_TRUE(pool.submit([] {}));
  EXPECT_FALSE(pool.submit([] {})) << "two wait already";
  go.set_value();
}

TEST(WorkerPool, OutlivesAJobThatThrows) {
  std::promise<void> after;
  WorkerPool pool(1, 10);
  ASSERT_TRUE(pool.submit([] { throw std::runtime_error("bad"); }));
  ASSERT_TRUE(pool.submit([&] { after.set_value(); }));
  EXPECT_EQ(after.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

}  // namespace
}  // namespace tessera::server
