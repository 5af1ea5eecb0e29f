#include "base/progress.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

namespace tessera {
namespace {

// Standard error is a pipe here, so the form without a terminal is seen.
TEST(Progress, ShortWorkIsSilent) {
  ::testing::internal::CaptureStderr();
  {
    Progress progress("packing", 3);
    for (int step = 0; step < 3; ++step)
      progress.advance(1, "layer");
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST(Progress, OneInsideAnotherIsSilent) {
  ::testing::internal::CaptureStderr();
  {
    Progress outer("calibrating", 2);
    Progress inner("loading", 2);
    std::this_thread::sleep_for(std::chrono::milliseconds(2050));
    inner.advance(2, "weights");
    outer.advance(2, "layer");
  }
  const std::string shown = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(shown.find("loading"), std::string::npos) << shown;
  EXPECT_NE(shown.find("calibrating"), std::string::npos) << shown;
}

TEST(Progress, LongWorkSaysHowFarItIs) {
  ::testing::internal::CaptureStderr();
  {
    Progress progress("packing", 4);
    progress.advance(1, "a");
    std::this_thread::sleep_for(std::chrono::milliseconds(2050));
    progress.advance(3, "b");
    progress.advance(5, "more than announced");
  }
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.rfind("packing: 100 % (4 of 4), 0 s left b\n", 0), 0U) << text;
}

}  // namespace
}  // namespace tessera
