#include "base/isa.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <string>

namespace tessera {
namespace {

// Sets TESSERA_ISA for one test and puts the old value back.
class ForcedIsa {
 public:
  explicit ForcedIsa(const char* name) {
    if (const char* old = std::getenv("TESSERA_ISA")) old_ = old;
    if (name != nullptr) {
      setenv("TESSERA_ISA", name, 1);
    } else {
      unsetenv("TESSERA_ISA");
    }
  }
  ForcedIsa(const ForcedIsa&) = delete;
  ForcedIsa& operator=(const ForcedIsa&) = delete;
  ~ForcedIsa() {
    if (old_.has_value()) {
      setenv("TESSERA_ISA", old_->c_str(), 1);
    } else {
      unsetenv("TESSERA_ISA");
    }
  }

 private:
  std::optional<std::string> old_;
};

TEST(Isa, NamesRoundTripInOrder) {
  int rank = 0;
  for (const Isa isa : all_isas()) {
    EXPECT_EQ(static_cast<int>(isa), rank++);
    EXPECT_EQ(parse_isa(isa_name(isa)).value(), isa);
  }
  EXPECT_EQ(rank, 4);
}

TEST(Isa, UnknownNameIsAnErrorThatNamesIt) {
  EXPECT_EQ(parse_isa("sse9").error().message(),
            "instruction set \"sse9\" is unknown, expected scalar, avx2, avx512 or avx512bf16");
}

TEST(Isa, EnvironmentForcesWeakerOnes) {
  for (const Isa isa : all_isas()) {
    const std::string name(isa_name(isa));
    const ForcedIsa forced(name.c_str());
    const auto chosen = choose_isa();
    if (isa <= detect_isa()) {
      EXPECT_EQ(chosen.value(), isa);
    } else {
      EXPECT_EQ(chosen.error().code(), ErrorCode::kUnsupported);
      EXPECT_NE(chosen.error().message().find(isa_name(detect_isa())), std::string::npos);
    }
  }
}

TEST(Isa, WithoutTheVariableTheBestIsChosen) {
  const ForcedIsa unset(nullptr);
  EXPECT_EQ(choose_isa().value(), detect_isa());
  const ForcedIsa empty("");
  EXPECT_EQ(choose_isa().value(), detect_isa());
}

TEST(Isa, BadVariableNamesTheVariable) {
  const ForcedIsa forced("AVX2");
  EXPECT_EQ(choose_isa().error().message().rfind("TESSERA_ISA: ", 0), 0U);
}

TEST(Isa, CpuHasAName) {
  EXPECT_FALSE(cpu_name().empty());
  EXPECT_EQ(cpu_name().find('\0'), std::string_view::npos);
}

}  // namespace
}  // namespace tessera
