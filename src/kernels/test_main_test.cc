// main() of the kernels' tests: skips (exit code 77) when TESSERA_ISA asks for what this CPU lacks.
#include <cstdio>

#include <gtest/gtest.h>

#include "base/isa.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  constexpr int kSkipped = 77;
  const auto isa = tessera::choose_isa();
  if (!isa.has_value()) {
    std::fprintf(stderr, "%s\n", isa.error().message().c_str());
    return isa.error().code() == tessera::ErrorCode::kUnsupported ? kSkipped : 1;
  }
  return RUN_ALL_TESTS();
}
