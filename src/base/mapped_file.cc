#include "base/mapped_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <string>
#include <utility>

namespace tessera {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
// Of populating: large enough for reads at the disk's speed, small enough for all workers to end together.
constexpr size_t kSliceBytes = size_t{32} << 20;

/// What a signal handler can look at: fixed places and nothing that allocates.
struct Watched {
  std::atomic<const std::byte*> data{nullptr};
  size_t size = 0;
  std::array<char, 512> line{};  // what to say
};
// A process maps one model, or a few. What finds no place here ends in SIGBUS as if nobody watched.
std::array<Watched, 16> watched;
struct sigaction handler_before;

void on_sigbus(int, siginfo_t* info, void*) {
  const auto* at = static_cast<const std::byte*>(info->si_addr);
  for (const Watched& file : watched) {
    const std::byte* data = file.data.load(std::memory_order_acquire);
    if (data == nullptr || at < data || at >= data + file.size) continue;
    [[maybe_unused]] const auto written = write(STDERR_FILENO, file.line.data(), strlen(file.line.data()));
    _exit(1);
  }
  sigaction(SIGBUS, &handler_before, nullptr);  // not ours: the access is repeated and meets that one
}

void watch(const std::byte* data, size_t size, const std::string& path) {
  static std::once_flag installed;
  static std::mutex mutex;
  std::call_once(installed, [] {
    struct sigaction action{};
    action.sa_sigaction = on_sigbus;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGBUS, &action, &handler_before);
  });
  const std::scoped_lock lock(mutex);
  const auto free =
      std::ranges::find_if(watched, [](const Watched& file) { return file.data.load() == nullptr; });
  if (free == watched.end()) return;
  const auto end =
      fmt::format_to_n(free->line.data(), free->line.size() - 2,
                       "tessera: {:.400}: was cut short, or cannot be read, while it is mapped\n", path);
  *end.out = '\0';
  free->size = size;
  free->data.store(data, std::memory_order_release);
}

void unwatch(const std::byte* data) {
  for (Watched& file : watched) {
    const std::byte* expected = data;
    if (file.data.compare_exchange_strong(expected, nullptr)) return;
  }
}

/// `bytes` of address space that begin at a multiple of 2 MiB; nullptr when there is none.
std::byte* reserve_aligned(size_t bytes) {
  void* reserved =
      mmap(nullptr, bytes + kHugePage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (reserved == MAP_FAILED) return nullptr;
  auto* start = static_cast<std::byte*>(reserved);
  const size_t head = (kHugePage - reinterpret_cast<uintptr_t>(start) % kHugePage) % kHugePage;
  if (head != 0) munmap(start, head);
  munmap(start + head + bytes, kHugePage - head);
  return start + head;
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return not_found("{}: cannot open: {}", path.string(), std::strerror(errno));
  struct Close {
    int fd;
    ~Close() { close(fd); }
  } const closing{fd};
  struct stat info{};
  if (fstat(fd, &info) != 0) return not_found("{}: cannot stat: {}", path.string(), std::strerror(errno));
  if (!S_ISREG(info.st_mode) || info.st_size == 0)
    return invalid_argument("{}: {} bytes, expected a regular file that is not empty", path.string(),
                            info.st_size);

  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const auto size = static_cast<size_t>(info.st_size);
  const size_t mapped = (size + page - 1) / page * page;
  std::byte* place = reserve_aligned(mapped);
  if (place == nullptr) return resource_exhausted("{}: no room for a map of {} bytes", path.string(), size);
  if (mmap(place, size, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
    const std::string reason = std::strerror(errno);
    munmap(place, mapped);
    return resource_exhausted("{}: cannot map {} bytes: {}", path.string(), size, reason);
  }
  madvise(place, size, MADV_HUGEPAGE);  // refused where the system has none for files
  MappedFile file;
  file.path_ = path;
  file.data_ = place;
  file.size_ = size;
  watch(place, size, path.string());
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  unwatch(data_);
  munmap(data_, size_);
}

void MappedFile::populate(ThreadPool& pool) const {
  pool.parallel_for((size_ + kSliceBytes - 1) / kSliceBytes, [&](size_t slice) {
    const size_t begin = slice * kSliceBytes;
    // An older kernel says EINVAL, a file cut short EFAULT: whoever reads the bytes will meet it.
    madvise(data_ + begin, std::min(kSliceBytes, size_ - begin), MADV_POPULATE_READ);
  });
}

}  // namespace tessera
