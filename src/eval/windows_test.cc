#include "eval/windows.h"

#include <gtest/gtest.h>

#include <set>

namespace tessera::eval {
namespace {

models::ModelConfig small_config() {
  models::ModelConfig config;
  config.vocab = 10;
  config.max_position = 2048;
  return config;
}

/// Tokens that some part predicts, each checked to be predicted once, after at least `least` others.
std::set<size_t> predicted(size_t tokens, int32_t context, int32_t stride, size_t least) {
  const std::vector<int32_t> ids(tokens, 3);
  const auto parts = plan_parts(small_config(), ids, context, stride);
  EXPECT_TRUE(parts.has_value()) << parts.error().message();
  std::set<size_t> found;
  size_t window = 0, next = 0;
  for (const Part& part : *parts) {
    if (part.window != window) next = 0;
    window = part.window;
    EXPECT_EQ(part.start, next) << "parts of a window follow one another";
    next = part.start + part.count;
    EXPECT_LE(next, static_cast<size_t>(context));
    for (size_t row = 0; part.predicts && row < part.count; ++row) {
      EXPECT_TRUE(found.insert(part.window + part.start + row + 1).second) << "predicted twice";
      if (part.window > 0) {
        EXPECT_GE(part.start + row + 1, least);
      }
    }
  }
  return found;
}

TEST(PlanParts, ApartWindowsLeaveOutTheirFirstToken) {
  const auto found = predicted(1000, 300, 300, 1);
  EXPECT_EQ(found.size(), 996U);
  for (const size_t first : {0, 300, 600, 900})
    EXPECT_FALSE(found.contains(first)) << first;
}

TEST(PlanParts, OverlappingWindowsPredictAllButTheFirstToken) {
  for (const int32_t stride : {1, 7, 128, 299})
    EXPECT_EQ(predicted(1000, 300, stride, 300 - static_cast<size_t>(stride)).size(), 999U) << stride;
}

TEST(PlanParts, ATokenAloneAtTheEndIsNotPredicted) {
  EXPECT_EQ(predicted(301, 300, 300, 1).size(), 299U);
  EXPECT_EQ(predicted(2, 300, 300, 1).size(), 1U);
}

}  // namespace
}  // namespace tessera::eval
