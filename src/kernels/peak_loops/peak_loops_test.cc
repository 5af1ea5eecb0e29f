#include "kernels/peak_loops/peak_loops.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <set>
#include <string>

namespace tessera::kernels {
namespace {

double seconds_of(const PeakLoop& loop, int64_t turns) {
  const auto begin = std::chrono::steady_clock::now();
  loop.run(turns);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

TEST(PeakLoops, NamesDiffer) {
  std::set<std::string> names;
  for (const PeakLoop& loop : peak_loops())
    EXPECT_TRUE(names.insert(loop.name).second) << loop.name;
}

TEST(PeakLoops, TurnsTakeTime) {
  for (const PeakLoop& loop : peak_loops()) {
    if (loop.isa > active_isa()) continue;
    // No instruction of ours does more than 64 products, and no machine starts over 4 a cycle at 10 GHz: a
    // loop that were optimised away would beat that. A sixteenth of a product per cycle at 1 GHz is the other
    // end.
    constexpr int64_t kTurns = 100'000;
    const double macs_per_second = static_cast<double>(loop.macs * kTurns) / seconds_of(loop, kTurns);
    EXPECT_LT(macs_per_second, 64.0 * 4 * 10e9) << loop.name;
    EXPECT_GT(macs_per_second, 1e9 / 16) << loop.name;
  }
}

TEST(ReadMemory, StaysInside) {  // the address sanitizer watches
  const auto memory = std::make_unique<uint8_t[]>(3 * kReadBlock);
  read_memory(memory.get(), 0, 0);
  read_memory(memory.get(), 3 * kReadBlock, 0);
  read_memory(memory.get(), 3 * kReadBlock, 4096);
  EXPECT_EQ(read_memory_variant(), isa_name(std::min(active_isa(), Isa::kAvx512)));
}

}  // namespace
}  // namespace tessera::kernels
