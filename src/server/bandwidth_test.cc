#include "server/bandwidth.h"

#include <gtest/gtest.h>

namespace tessera::server {
namespace {

TEST(Bandwidth, IsThatOfAMachine) {
  ThreadPool pool(2);
  const double bytes_per_s = measure_read_bandwidth(pool);
  EXPECT_GT(bytes_per_s, 1e8) << "slower than any machine this runs on, even under sanitizers";
  EXPECT_LT(bytes_per_s, 5e12) << "faster than memory: the reads were optimised away";
}

}  // namespace
}  // namespace tessera::server
