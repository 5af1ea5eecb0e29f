#include "server/signals.h"

#include <gtest/gtest.h>

#include <csignal>

namespace tessera::server {
namespace {

TEST(Signals, FirstOneIsReported) {
  for (const int number : {SIGTERM, SIGINT}) {
    auto signals = Signals::install();
    ASSERT_TRUE(signals);
    std::raise(number);
    EXPECT_EQ(signals->wait(), number);
  }
}

TEST(SignalsDeathTest, SecondOneEndsTheProcess) {
  EXPECT_EXIT(
      {
        auto signals = Signals::install();
        std::raise(SIGTERM);
        std::raise(SIGTERM);
      },
      ::testing::ExitedWithCode(128 + SIGTERM), "");
}

}  // namespace
}  // namespace tessera::server
