#include "engine/ngram_draft.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tessera::engine {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<int32_t> draft(const std::vector<int32_t>& ids, const NgramOptions& options,
                           int32_t limit = 100) {
  return ngram_draft(ids, options, limit);
}

TEST(NgramDraft, IsWhatFollowedTheLongestMatch) {
  const std::vector<int32_t> ids = {1, 2, 3, 4, 9, 2, 3, 7, 1, 2, 3};
  EXPECT_THAT(draft(ids, {.draft_tokens = 3}), ElementsAre(4, 9, 2)) << "1 2 3, not 2 3";
  EXPECT_THAT(draft(ids, {.draft_tokens = 3, .max_match = 2}), ElementsAre(7, 1, 2)) << "the latest 2 3";
  EXPECT_THAT(draft(ids, {.draft_tokens = 3}, 1), ElementsAre(4));
}

TEST(NgramDraft, NeedsAMatch) {
  const std::vector<int32_t> ids = {1, 2, 3, 2};
  EXPECT_THAT(draft(ids, {.draft_tokens = 1}), ElementsAre(3));
  EXPECT_THAT(draft(ids, {.draft_tokens = 1, .min_match = 2}), IsEmpty());
  EXPECT_THAT(draft({1, 2, 3}, {.draft_tokens = 4}), IsEmpty());
  EXPECT_THAT(draft({1}, {.draft_tokens = 4}), IsEmpty());
  EXPECT_THAT(draft(ids, {}), IsEmpty());
  EXPECT_THAT(draft(ids, {.draft_tokens = 4}, 0), IsEmpty());
}

TEST(NgramDraft, GoesRoundAndRound) {
  EXPECT_THAT(draft({5, 5}, {.draft_tokens = 4}), ElementsAre(5, 5, 5, 5));
  EXPECT_THAT(draft({1, 2, 1, 2}, {.draft_tokens = 5}), ElementsAre(1, 2, 1, 2, 1));
}

}  // namespace
}  // namespace tessera::engine
