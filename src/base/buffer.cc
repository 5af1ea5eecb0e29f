#include "base/buffer.h"

#include <sys/mman.h>

#include <utility>

#include "base/check.h"

namespace tessera {
namespace {
constexpr size_t kPage = 4096;
constexpr size_t kHugePage = size_t{2} << 20;
}  // namespace

Result<AlignedBuffer> AlignedBuffer::allocate(size_t bytes) {
  AlignedBuffer buffer;
  if (bytes == 0) return buffer;
  const bool huge = bytes >= 4 * kHugePage;
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
  if (data_ != nullptr) munmap(data_, mapped_);
  data_ = nullptr;
  size_ = mapped_ = 0;
}

void AlignedBuffer::reserve(size_t bytes) {
  if (bytes > size_) *this = AlignedBuffer(bytes);
}

}  // namespace tessera
