#include "base/trace.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace tessera {
namespace {

class TraceTest : public ::testing::Test {
 protected:
  ~TraceTest() override { unsetenv("TESSERA_TRACE"); }
  static Result<bool> dispatch(const char* value) {
    setenv("TESSERA_TRACE", value, 1);
    return trace_enabled(TraceTopic::kDispatch);
  }
};

TEST_F(TraceTest, IsAskedForByName) {
  unsetenv("TESSERA_TRACE");
  EXPECT_EQ(trace_enabled(TraceTopic::kDispatch).value(), false);
  EXPECT_EQ(dispatch("").value(), false);
  EXPECT_EQ(dispatch("dispatch").value(), true);
  EXPECT_EQ(dispatch("dispatch,dispatch").value(), true);
}

TEST_F(TraceTest, UnknownTopicsAreNamed) {
  for (const char* value : {"dispatcher", "dispatch,all", ",dispatch", "dispatch, dispatch"}) {
    const auto result = dispatch(value);
    ASSERT_FALSE(result.has_value()) << value;
    EXPECT_EQ(result.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(result.error().message().find("expected dispatch"), std::string::npos);
  }
}

TEST_F(TraceTest, PrintsOneLine) {
  testing::internal::CaptureStderr();
  trace_line(TraceTopic::kDispatch, "q_proj: gemm");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "dispatch: q_proj: gemm\n");
}

}  // namespace
}  // namespace tessera
