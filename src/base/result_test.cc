#include "base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace tessera {
namespace {

constexpr unsigned kHalfLine = __LINE__ + 2;
Result<int> half(int n) {
  if (n % 2 != 0) return invalid_argument("n={} is odd, expected an even number", n);
  return n / 2;
}

Result<int> quarter(int n) {
  const int h = TRY(half(n));
  return half(h);
}

Status check_quarter(int n) {
  TRY_STATUS(quarter(n).context("quarter"));
  return {};
}

Result<std::unique_ptr<int>> boxed(int n) {
  return std::make_unique<int>(TRY(half(n)));
}

TEST(Result, CarriesValueOrError) {
  EXPECT_EQ(half(8).value(), 4);
  const auto error = half(7).error();
  EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(error.message(), "n=7 is odd, expected an even number");
}

TEST(Result, TryReturnsTheFirstError) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_EQ(quarter(6).error().message(), "n=3 is odd, expected an even number");
  EXPECT_EQ(quarter(5).error().message(), "n=5 is odd, expected an even number");
}

TEST(Result, TryMovesMoveOnlyValues) {
  const auto use = [](int n) -> Result<int> {
    const std::unique_ptr<int> box = TRY(boxed(n));
    return *box;
  };
  EXPECT_EQ(use(10).value(), 5);
  EXPECT_FALSE(use(9).has_value());
}

TEST(Result, ContextGoesBeforeTheMessage) {
  EXPECT_TRUE(check_quarter(4).has_value());
  const auto status = check_quarter(6);
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().message(), "quarter: n=3 is odd, expected an even number");
  EXPECT_EQ(status.error().code(), ErrorCode::kInvalidArgument);
}

TEST(Result, ErrorKnowsWhereItArose) {
  const auto error = half(1).error();
  EXPECT_NE(std::string(error.where().file_name()).find("result_test.cc"), std::string::npos);
  EXPECT_EQ(error.where().line(), kHalfLine);
}

TEST(Result, IsSmall) {
  EXPECT_EQ(sizeof(Error), sizeof(void*));
  EXPECT_LE(sizeof(Result<int>), 16U);
}

TEST(Error, CopiesAreIndependent) {
  const Error original = not_found("tensor {}", "a");
  Error copy = original;
  copy = std::move(copy).with_context("file");
  EXPECT_EQ(original.message(), "tensor a");
  EXPECT_EQ(copy.message(), "file: tensor a");
  copy = original;
  EXPECT_EQ(copy.message(), "tensor a");
}

TEST(Error, EveryCodeHasItsOwnName) {
  std::string seen = " ";
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    const std::string name = " " + std::string(error_code_name(static_cast<ErrorCode>(code))) + " ";
    EXPECT_EQ(seen.find(name), std::string::npos) << name;
    EXPECT_NE(name, " unknown ");
    seen += name;
  }
}

}  // namespace
}  // namespace tessera
