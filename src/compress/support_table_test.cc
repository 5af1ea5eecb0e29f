#include "compress/support_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.h"

namespace tessera::compress {
namespace {

using testing::HasSubstr;

TEST(SupportTable, EveryFormatHasItsSchemes) {
  const std::string tables = support_tables();
  for (const char* row :
       {"| modelslim | W4A4_FLATQUANT_DYNAMIC | `w4a4-transformed` | gemm_s8 |  |",
        "| modelslim | W4A8_DYNAMIC | `w4a8` | gemm_s8 | w4a8 |", "| float | F32 | `f32` | gemm_bf16 |  |",
        "| awq | gemm, 4-bit | `w4a16-g128-asym` | gemm_unpack |  |", "Qwen3MoeForCausalLM", "Q6_K"})
    EXPECT_THAT(tables, HasSubstr(row));
  EXPECT_THAT(tables, testing::Not(HasSubstr("nothing")));
}

TEST(SupportTable, TheReadmeSaysTheSame) {
  const auto readme = read_text_file(TESSERA_SOURCE_DIR "/README.md", 1 << 20);
  ASSERT_TRUE(readme.has_value());
  EXPECT_THAT(*readme, HasSubstr("<!-- made by `tessera version --support` -->\n" + support_tables() +
                                 "<!-- end -->\n"));
}

}  // namespace
}  // namespace tessera::compress
