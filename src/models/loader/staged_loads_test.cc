#include "models/loader/staged_loads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>

namespace tessera::models {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

class NoTensors final : public formats::TensorSource {
 public:
  std::span<const formats::TensorInfo> tensors() const override { return {}; }
  const formats::TensorInfo* find(std::string_view) const override { return nullptr; }
  Status read(const formats::TensorInfo&, std::span<std::byte>) const override { return {}; }
};

/// What is inside at the same time.
class Inside {
 public:
  explicit Inside(uint64_t bytes) : bytes_(bytes) {
    const uint64_t now = held += bytes;
    for (uint64_t most = peak; now > most && !peak.compare_exchange_weak(most, now);) {
    }
  }
  ~Inside() { held -= bytes_; }
  static inline std::atomic<uint64_t> held{0}, peak{0};

 private:
  uint64_t bytes_;
};

TEST(StagedLoads, RunsEveryTaskOnceWithinTheStagingMemory) {
  std::vector<LoadTask> tasks(200);
  for (size_t i = 0; i < tasks.size(); ++i)
    tasks[i].staging_bytes = (i % 50 + 1) * kMiB;
  std::vector<std::atomic<int>> runs(tasks.size());
  Inside::peak = 0;
  ThreadPool pool(4);
  ASSERT_TRUE(run_loads(tasks, NoTensors(), pool, [&](size_t index, ThreadPool&) -> Status {
    const Inside inside(tasks[index].staging_bytes);
    std::this_thread::yield();
    ++runs[index];
    return {};
  }));
  for (const auto& count : runs)
    EXPECT_EQ(count, 1);
  EXPECT_LE(Inside::peak, 128 * kMiB);
}

TEST(StagedLoads, LargeTasksComeFirstAndHaveAllWorkers) {
  formats::TensorInfo large;
  large.bytes = 100 * kMiB;
  std::vector<LoadTask> tasks = {{{}, kMiB}, {{&large}, 120 * kMiB}, {{}, kMiB}};
  std::vector<std::pair<size_t, int>> order;
  std::mutex mutex;
  ThreadPool pool(2);
  ASSERT_TRUE(run_loads(tasks, NoTensors(), pool, [&](size_t index, ThreadPool& workers) -> Status {
    const std::scoped_lock lock(mutex);
    order.emplace_back(index, workers.size());
    return {};
  }));
  ASSERT_EQ(order.size(), 3U);
  EXPECT_EQ(order[0], std::pair(size_t{1}, 2));
  EXPECT_EQ(order[1].second, 1);
  EXPECT_EQ(order[2].second, 1);
}

TEST(StagedLoads, ATaskThatFitsNowhereRunsAlone) {
  const std::vector<LoadTask> tasks = {{{}, 1000 * kMiB}, {{}, 1000 * kMiB}};
  int runs = 0;
  ThreadPool pool(2);
  EXPECT_TRUE(run_loads(tasks, NoTensors(), pool, [&](size_t, ThreadPool&) -> Status {
    ++runs;
    return {};
  }));
  EXPECT_EQ(runs, 2);
}

TEST(StagedLoads, TheFirstErrorEndsIt) {
  const std::vector<LoadTask> tasks(1000);
  std::atomic<size_t> runs = 0;
  ThreadPool pool(2);
  const Status status = run_loads(tasks, NoTensors(), pool, [&](size_t index, ThreadPool&) -> Status {
    ++runs;
    if (index >= 3) return data_corrupt("tensor {}", index);
    return {};
  });
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message(), "tensor 3");
  EXPECT_LT(runs, 100U);
}

}  // namespace
}  // namespace tessera::models
