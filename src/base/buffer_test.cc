#include "base/buffer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

namespace tessera {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

TEST(AlignedBuffer, IsAlignedAndZeroed) {
  for (const size_t bytes : {size_t{1}, size_t{63}, size_t{4096}, size_t{4097}, 8 * kMiB, 9 * kMiB + 1}) {
    auto buffer = AlignedBuffer::allocate(bytes).value();
    EXPECT_EQ(buffer.size(), bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 64, 0U);
    EXPECT_EQ(buffer.as<uint8_t>()[0], 0);
    EXPECT_EQ(buffer.as<uint8_t>()[bytes - 1], 0);
    std::memset(buffer.data(), 0xab, bytes);
    EXPECT_EQ(buffer.as<uint8_t>()[bytes - 1], 0xab);
  }
}

TEST(AlignedBuffer, LargeOnesStartOnAHugePage) {
  for (const size_t bytes : {2 * kMiB, 5 * kMiB + 1, 8 * kMiB}) {
    const auto buffer = AlignedBuffer::allocate(bytes).value();
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % (2 * kMiB), 0U) << bytes;
    EXPECT_EQ(std::to_integer<int>(buffer.data()[bytes - 1]), 0);
  }
}

TEST(AlignedBuffer, LastingOnesFollowEachOther) {
  auto first = AlignedBuffer::allocate_lasting(5000).value();
  auto second = AlignedBuffer::allocate_lasting(100).value();
  EXPECT_EQ(second.data() - first.data(), 8192);
  std::memset(first.data(), 0xab, first.size());
  std::memset(second.data(), 0xcd, second.size());
  first = {};
  EXPECT_EQ(second.as<uint8_t>()[99], 0xcd);
  const auto third = AlignedBuffer::allocate_lasting(3 * kMiB).value();
  EXPECT_EQ(third.data() - second.data(), 4096) << "a freed buffer's place is not used again";
  EXPECT_EQ(third.as<uint8_t>()[3 * kMiB - 1], 0);
}

TEST(AlignedBuffer, LargeLastingOnesAreTheirOwn) {
  const auto large = AlignedBuffer::allocate_lasting(100 * kMiB).value();
  EXPECT_EQ(large.size(), 100 * kMiB);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(large.data()) % (2 * kMiB), 0U);
  EXPECT_TRUE(AlignedBuffer::allocate_lasting(0).value().empty());
  EXPECT_FALSE(AlignedBuffer::allocate_lasting(SIZE_MAX).has_value());
}

TEST(AlignedBuffer, EmptyOwnsNothing) {
  const auto buffer = AlignedBuffer::allocate(0).value();
  EXPECT_TRUE(buffer.empty());
  EXPECT_EQ(buffer.data(), nullptr);
}

TEST(AlignedBuffer, ImpossibleSizesAreErrors) {
  for (const size_t bytes : {SIZE_MAX, SIZE_MAX - 4095, SIZE_MAX / 2, size_t{1} << 62}) {
    const auto buffer = AlignedBuffer::allocate(bytes);
    ASSERT_FALSE(buffer.has_value()) << bytes;
    EXPECT_EQ(buffer.error().code(), ErrorCode::kResourceExhausted);
  }
}

TEST(AlignedBuffer, MovesEmptyTheSource) {
  AlignedBuffer first(100);
  first.as<char>()[7] = 'x';
  AlignedBuffer second = std::move(first);
  EXPECT_EQ(second.as<char>()[7], 'x');
  AlignedBuffer third(9 * kMiB);
  third = std::move(second);
  EXPECT_EQ(third.size(), 100U);
  EXPECT_EQ(third.as<char>()[7], 'x');
}

TEST(AlignedBuffer, ReserveOnlyGrows) {
  AlignedBuffer buffer(100);
  const auto* before = buffer.data();
  buffer.reserve(50);
  EXPECT_EQ(buffer.data(), before);
  EXPECT_EQ(buffer.size(), 100U);
  buffer.reserve(5000);
  EXPECT_EQ(buffer.size(), 5000U);
}

TEST(AlignedBuffer, BorrowedBytesAreNeitherCopiedNorFreed) {
  std::vector<std::byte> bytes(100, std::byte{7});
  {
    AlignedBuffer borrowed = AlignedBuffer::borrow(bytes);
    EXPECT_EQ(borrowed.data(), bytes.data());
    EXPECT_EQ(borrowed.size(), 100U);
    const AlignedBuffer moved = std::move(borrowed);
    EXPECT_EQ(moved.bytes().back(), std::byte{7});
  }
  EXPECT_EQ(bytes.front(), std::byte{7});
}

}  // namespace
}  // namespace tessera
