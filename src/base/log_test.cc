#include "base/log.h"

#include <gtest/gtest.h>

#include <string>

namespace tessera {
namespace {

// init_logging() is called once per process, so everything about it is one test.
TEST(Log, LevelsFilterAndEveryLevelPrints) {
  ::testing::internal::CaptureStderr();
  init_logging();
  for (const std::string level : {"trace", "debug", "info", "warn", "warning", "error", "critical", "off"}) {
    EXPECT_TRUE(set_log_level(level).has_value()) << level;
  }
  ASSERT_TRUE(set_log_level("warning").has_value());
  LOG_INFO("hidden {}", 1);
  LOG_WARN("shown {}", 2);
  ASSERT_TRUE(set_log_level("debug").has_value());
  LOG_DEBUG("shown {}", 3);
  spdlog::default_logger()->flush();
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(text.find("hidden"), std::string::npos) << text;
  EXPECT_NE(text.find("warning shown 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("debug shown 3\n"), std::string::npos) << text;
  ASSERT_TRUE(set_log_level("info").has_value());
}

TEST(Log, UnknownLevelIsAnErrorThatNamesIt) {
  const auto status = set_log_level("loud");
  ASSERT_FALSE(status.has_value());
  EXPECT_NE(status.error().message().find("\"loud\""), std::string::npos);
}

}  // namespace
}  // namespace tessera
