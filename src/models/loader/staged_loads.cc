#include "models/loader/staged_loads.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace tessera::models {
namespace {

// Beyond the largest tensor, of the 256 MiB that a load may take; the rest is for everything else.
constexpr uint64_t kStagingBytes = uint64_t{128} << 20;
// Announced to the system and not read yet. It lies in the file cache, which is nobody's memory.
constexpr uint64_t kReadAheadBytes = uint64_t{256} << 20;

/// Announces tensors to the system in the order in which they will be read, from a thread of its own: the
/// call waits when the disk is busy.
class ReadAhead {
 public:
  ReadAhead(const formats::TensorSource& source, std::vector<const formats::TensorInfo*> tensors)
      : source_(source), tensors_(std::move(tensors)), thread_([this] { run(); }) {}
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;
  ~ReadAhead() {
    {
      const std::scoped_lock lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  /// So many more bytes were read.
  void advance(uint64_t bytes) {
    {
      const std::scoped_lock lock(mutex_);
      read_ += bytes;
    }
    changed_.notify_all();
  }

 private:
  void run() {
    for (const formats::TensorInfo* tensor : tensors_) {
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stop_ || announced_ < read_ + kReadAheadBytes; });
        if (stop_) return;
        announced_ += tensor->bytes;
      }
      source_.will_read(*tensor);
    }
  }

  const formats::TensorSource& source_;
  std::vector<const formats::TensorInfo*> tensors_;
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t announced_ = 0, read_ = 0;
  bool stop_ = false;
  std::thread thread_;  // last: it uses the others
};

/// Lets tasks in one after the other, in their order, each as soon as it fits beside those inside.
class StagingMemory {
 public:
  explicit StagingMemory(uint64_t bytes) : bytes_(bytes) {}

  void enter(size_t ticket, uint64_t bytes) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return ticket == next_ && (held_ == 0 || held_ + bytes <= bytes_); });
    ++next_;
    held_ += bytes;
    changed_.notify_all();
  }
  void leave(uint64_t bytes) {
    {
      const std::scoped_lock lock(mutex_);
      held_ -= bytes;
    }
    changed_.notify_all();
  }

 private:
  const uint64_t bytes_;
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t next_ = 0;
  uint64_t held_ = 0;
};

/// The error of the task that was begun first.
class FirstError {
 public:
  bool empty() {
    const std::scoped_lock lock(mutex_);
    return !error_;
  }
  void add(size_t ticket, Error error) {
    const std::scoped_lock lock(mutex_);
    if (error_ && ticket_ < ticket) return;
    ticket_ = ticket;
    error_ = std::move(error);
  }
  Status take() { return error_ ? Status(std::move(*error_)) : Status(); }

 private:
  std::mutex mutex_;
  size_t ticket_ = 0;
  std::optional<Error> error_;
};

uint64_t bytes_read(const LoadTask& task) {
  uint64_t bytes = 0;
  for (const formats::TensorInfo* tensor : task.tensors)
    bytes += tensor->bytes;
  return bytes;
}

uint64_t largest_tensor(std::span<const LoadTask> tasks) {
  uint64_t largest = 0;
  for (const LoadTask& task : tasks) {
    for (const formats::TensorInfo* tensor : task.tensors)
      largest = std::max(largest, tensor->bytes);
  }
  return largest;
}

}  // namespace

Status run_loads(std::span<const LoadTask> tasks, const formats::TensorSource& source, ThreadPool& pool,
                 const std::function<Status(size_t, ThreadPool&)>& load) {
  const uint64_t staging_bytes = largest_tensor(tasks) + kStagingBytes;
  std::vector<size_t> order(tasks.size());
  for (size_t i = 0; i < order.size(); ++i)
    order[i] = i;
  const auto rest = std::ranges::stable_partition(
      order, [&](size_t task) { return 2 * tasks[task].staging_bytes > staging_bytes; });
  std::vector<const formats::TensorInfo*> tensors;
  for (const size_t task : order)
    tensors.insert(tensors.end(), tasks[task].tensors.begin(), tasks[task].tensors.end());
  ReadAhead ahead(source, std::move(tensors));

  for (auto task = order.begin(); task != rest.begin(); ++task) {
    TRY_STATUS(load(*task, pool));
    ahead.advance(bytes_read(tasks[*task]));
  }
  StagingMemory staging(staging_bytes);
  FirstError error;
  pool.parallel_for(rest.size(), [&](size_t ticket) {
    const size_t task = rest[ticket];
    staging.enter(ticket, tasks[task].staging_bytes);
    if (error.empty()) {
      ThreadPool alone(1);
      if (auto status = load(task, alone); !status) error.add(ticket, std::move(status.error()));
      ahead.advance(bytes_read(tasks[task]));
    }
    staging.leave(tasks[task].staging_bytes);
  });
  return error.take();
}

}  // namespace tessera::models
