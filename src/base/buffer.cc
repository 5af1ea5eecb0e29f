#include "base/buffer.h"

#include <sys/mman.h>

#include <mutex>
#include <utility>

#include "base/check.h"

namespace tessera {
namespace {
constexpr size_t kPage = 4096;
constexpr size_t kHugePage = size_t{2} << 20;
/// Of lasting memory, reserved at a time and used as it is needed. What is left over at the end of one is a
/// buffer of at most a quarter and was not touched.
constexpr size_t kLastingBytes = size_t{256} << 20;

/// Where the next lasting buffer goes. The experts of Qwen3-30B-A3B are matrices of 0.8 MB: in pages of 4 KiB
/// their reading stops for the page tables at every one (measured: 20-35 % of decoding).
struct LastingMemory {
  std::mutex mutex;
  std::byte* next = nullptr;
  size_t left = 0;
};

LastingMemory& lasting_memory() {
  static LastingMemory memory;
  return memory;
}
}  // namespace

Result<AlignedBuffer> AlignedBuffer::allocate(size_t bytes) {
  AlignedBuffer buffer;
  if (bytes == 0) return buffer;
  const bool huge = bytes >= kHugePage;
  const size_t wanted = (bytes + kPage - 1) / kPage * kPage;
  const size_t reserved = huge ? wanted + kHugePage : wanted;
  if (reserved < bytes) return resource_exhausted("cannot reserve {} bytes: size overflows", bytes);
  void* mapped = mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return resource_exhausted("cannot reserve {} bytes of memory", bytes);
  auto* start = static_cast<std::byte*>(mapped);
  if (huge) {
    // Trim to a 2 MiB border so that the kernel can back it with huge pages.
    const size_t misfit = reinterpret_cast<uintptr_t>(start) % kHugePage;
    const size_t head = misfit == 0 ? 0 : kHugePage - misfit;
    if (head != 0) munmap(start, head);
    const size_t tail = reserved - head - wanted;
    if (tail != 0) munmap(start + head + wanted, tail);
    start += head;
    madvise(start, wanted, MADV_HUGEPAGE);
  }
  buffer.data_ = start;
  buffer.size_ = bytes;
  buffer.mapped_ = wanted;
  return buffer;
}

Result<AlignedBuffer> AlignedBuffer::allocate_lasting(size_t bytes) {
  if (bytes == 0 || bytes > kLastingBytes / 4) return allocate(bytes);
  const size_t wanted = (bytes + kPage - 1) / kPage * kPage;
  LastingMemory& memory = lasting_memory();
  const std::scoped_lock lock(memory.mutex);
  if (memory.left < wanted) {
    auto more = allocate(kLastingBytes);
    if (!more) return allocate(bytes);  // a limit of address space: pages of 4 KiB then
    memory.left = more->mapped_;
    memory.next = std::exchange(more->data_, nullptr);
  }
  AlignedBuffer buffer;
  buffer.data_ = memory.next;
  buffer.size_ = bytes;
  buffer.mapped_ = wanted;  // unmapped alone, like any other
  memory.next += wanted;
  memory.left -= wanted;
  return buffer;
}

AlignedBuffer AlignedBuffer::borrow(std::span<const std::byte> bytes) {
  AlignedBuffer buffer;
  buffer.data_ = const_cast<std::byte*>(bytes.data());
  buffer.size_ = bytes.size();
  return buffer;
}

AlignedBuffer::AlignedBuffer(size_t bytes) {
  auto buffer = allocate(bytes);
  CHECK(buffer.has_value(), "{}", buffer.error().message());
  *this = std::move(*buffer);
}

AlignedBuffer::AlignedBuffer(AlignedBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      mapped_(std::exchange(other.mapped_, 0)) {}

AlignedBuffer& AlignedBuffer::operator=(AlignedBuffer&& other) noexcept {
  if (this != &other) {
    release();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    mapped_ = std::exchange(other.mapped_, 0);
  }
  return *this;
}

AlignedBuffer::~AlignedBuffer() {
  release();
}

void AlignedBuffer::release() {
  if (mapped_ != 0) munmap(data_, mapped_);
  data_ = nullptr;
  size_ = mapped_ = 0;
}

void AlignedBuffer::reserve(size_t bytes) {
  if (bytes > size_) *this = AlignedBuffer(bytes);
}

}  // namespace tessera
