#include "engine/page_pool.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tessera::engine {
namespace {

TEST(PagePool, GivesEachPageOnce) {
  PagePool pool(5);
  auto first = pool.take(2);
  auto rest = pool.take(3);
  EXPECT_EQ(pool.free_count(), 0);
  first.insert(first.end(), rest.begin(), rest.end());
  std::sort(first.begin(), first.end());
  EXPECT_EQ(first, (std::vector<int32_t>{0, 1, 2, 3, 4}));
  EXPECT_TRUE(pool.take(0).empty());
}

TEST(PagePool, ReusesTheWarmestPages) {
  PagePool pool(8);
  const auto pages = pool.take(3);
  pool.give_back(pages);
  EXPECT_EQ(pool.free_count(), 8);
  EXPECT_EQ(pool.take(3), pages);
}

TEST(PagePoolDeathTest, TakingTooManyAndGivingBackTwiceAreBugs) {
  PagePool pool(2);
  EXPECT_DEATH(pool.take(3), "3 pages wanted, 2 are free");
  EXPECT_DEATH(pool.give_back(std::vector<int32_t>{0}), "given back twice");
}

}  // namespace
}  // namespace tessera::engine
