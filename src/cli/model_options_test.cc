#include "cli/model_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tessera::cli {
namespace {

TEST(TokenIds, AreNumbersBetweenCommas) {
  EXPECT_THAT(*parse_token_ids("--input-ids", "1,22,0"), testing::ElementsAre(1, 22, 0));
  EXPECT_THAT(*parse_token_ids("--input-ids", "7"), testing::ElementsAre(7));
}

TEST(TokenIds, AnythingElseIsNamed) {
  for (const char* text : {"", "1,", ",1", "1,,2", "x", "1,x", "-1", "1 2", "99999999999", "1.5"}) {
    const auto ids = parse_token_ids("--input-ids", text);
    ASSERT_FALSE(ids.has_value()) << text;
    EXPECT_THAT(ids.error().message(), testing::HasSubstr("--input-ids")) << text;
  }
}

}  // namespace
}  // namespace tessera::cli
