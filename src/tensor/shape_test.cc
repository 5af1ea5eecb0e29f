#include "tensor/shape.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace tessera {
namespace {

TEST(Shape, KnowsItsDimensions) {
  const Shape shape{576, 1536};
  EXPECT_EQ(shape.rank(), 2);
  EXPECT_EQ(shape[1], 1536);
  EXPECT_EQ(shape.numel(), 576 * 1536);
  EXPECT_EQ(shape.to_string(), "[576, 1536]");
  EXPECT_EQ(Shape{}.numel(), 1);
  EXPECT_EQ(Shape{}.to_string(), "[]");
  EXPECT_EQ((Shape{4, 0}.numel()), 0);
}

TEST(Shape, ComparesDimensions) {
  EXPECT_EQ((Shape{2, 3}), (Shape{2, 3}));
  EXPECT_FALSE((Shape{2, 3}) == (Shape{3, 2}));
  EXPECT_FALSE((Shape{2, 3}) == (Shape{2, 3, 1}));
}

TEST(Shape, FromFileChecksRankAndSign) {
  const std::vector<int64_t> eight(8, 1), nine(9, 1), negative{4, -1};
  EXPECT_EQ(Shape::from(eight, "w").value().rank(), 8);
  EXPECT_EQ(Shape::from(nine, "w").error().message(), "w: 9 dimensions, expected at most 8");
  EXPECT_EQ(Shape::from(negative, "w").error().message(), "w: shape has the negative dimension -1");
}

TEST(Shape, OverflowIsAnErrorNotAWrap) {
  const int64_t huge = int64_t{1} << 32;
  EXPECT_FALSE((Shape{huge, huge}.checked_numel().has_value()));
  EXPECT_EQ((Shape{std::numeric_limits<int64_t>::max()}.checked_numel().value()),
            std::numeric_limits<int64_t>::max());
}

}  // namespace
}  // namespace tessera
