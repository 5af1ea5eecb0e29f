#include "base/check.h"

#include <gtest/gtest.h>

namespace tessera {
namespace {

TEST(CheckDeathTest, PrintsConditionValuesAndPlace) {
  const int rows = 3;
  EXPECT_DEATH(CHECK(rows == 4, "rows={} of {}", rows, "w"),
               "check_test.cc:[0-9]+: CHECK\\(rows == 4\\) failed: rows=3 of w");
  EXPECT_DEATH(CHECK(rows == 4), "CHECK\\(rows == 4\\) failed");
}

TEST(Check, EvaluatesOnceAndPasses) {
  int calls = 0;
  CHECK(++calls == 1, "calls={}", calls);
  EXPECT_EQ(calls, 1);
}

TEST(CheckDeathTest, DcheckIsOnExactlyWhereItShould) {
  int calls = 0;
#ifdef TESSERA_DCHECK
  EXPECT_DEATH(DCHECK(false, "here {}", 1), "here 1");
  DCHECK(++calls == 1);
  EXPECT_EQ(calls, 1);
#else
  DCHECK(++calls == 1);
  DCHECK(false, "never");
  EXPECT_EQ(calls, 0);
#endif
}

}  // namespace
}  // namespace tessera
