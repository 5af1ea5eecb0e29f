#include "tensor/dtype.h"

#include <gtest/gtest.h>

namespace tessera {
namespace {

TEST(DType, NamesRoundTripAndSizesAreRight) {
  const std::pair<const char*, size_t> expected[] = {{"F64", 8}, {"F32", 4},  {"F16", 2},    {"BF16", 2},
                                                     {"I64", 8}, {"I32", 4},  {"I16", 2},    {"I8", 1},
                                                     {"U8", 1},  {"BOOL", 1}, {"F8_E4M3", 1}};
  for (const auto& [name, bytes] : expected) {
    const auto dtype = parse_dtype(name);
    ASSERT_TRUE(dtype.has_value()) << name;
    EXPECT_EQ(dtype_name(*dtype), name);
    EXPECT_EQ(dtype_size(*dtype), bytes) << name;
    EXPECT_EQ(is_float(*dtype), name == std::string_view("BF16") || (name[0] == 'F' && name[1] != '8'))
        << name;
  }
}

TEST(DType, UnknownNameIsAnErrorThatNamesIt) {
  for (const char* name : {"", "f32", "F128", "F4"}) {
    const auto dtype = parse_dtype(name);
    ASSERT_FALSE(dtype.has_value()) << name;
    EXPECT_NE(dtype.error().message().find("\"" + std::string(name) + "\""), std::string::npos);
  }
}

}  // namespace
}  // namespace tessera
