#include "base/process_memory.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/buffer.h"

namespace tessera {
namespace {

TEST(ProcessMemory, PeakCountsPagesThatWereTouched) {
  constexpr size_t kBytes = size_t{64} << 20;
  const uint64_t before = peak_resident_bytes();
  ASSERT_GT(before, 0U);
  {
    AlignedBuffer buffer(kBytes);
    std::fill_n(buffer.as<char>(), kBytes, 'x');
  }
  EXPECT_GE(peak_resident_bytes(), before + kBytes / 2);  // what was freed before may be used again
}

}  // namespace
}  // namespace tessera
