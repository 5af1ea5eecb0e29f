#include "ops/dispatch_trace.h"

#include <gtest/gtest.h>

#include "quant/integer_codes.h"

namespace tessera::ops {
namespace {

TEST(DispatchTrace, SaysWhyAStrongerInstructionSetIsNotUsed) {
  EXPECT_EQ(stronger_isas("gemm_s8/avx512", Isa::kAvx512Bf16, Isa::kAvx512Bf16),
            "avx512bf16: gemm_s8 has no such variant");
  EXPECT_EQ(stronger_isas("gemm_s8/avx2", Isa::kAvx2, Isa::kAvx512),
            "avx512: TESSERA_ISA=avx2; avx512bf16: this CPU lacks it");
  EXPECT_EQ(stronger_isas("gemm_bf16/avx512bf16", Isa::kAvx512Bf16, Isa::kAvx512Bf16), "");
  EXPECT_EQ(stronger_isas("unheard of", Isa::kAvx2, Isa::kAvx512), "");
}

Linear float_linear(ThreadPool& pool, const PackOptions& options) {
  quant::LinearData data;
  data.scheme.weight.bits = 32;
  data.out = 24;
  data.in = 64;
  data.values = Tensor(DType::kF32, {24, 64});
  return Linear::pack(std::move(data), options, pool).value();
}

TEST(DispatchTrace, NamesShapeSchemeLayoutKernelAndRefusals) {
  ThreadPool pool(1);
  const PackOptions options{.kind = FloatKind::kF32};
  const Linear linear = float_linear(pool, options);
  const std::string text = describe_dispatch(linear, options);
  EXPECT_EQ(text.find(linear.weights().kernel()), text.find(": ") + 2) << text;
  EXPECT_TRUE(text.starts_with("[24, 64] " + linear.scheme().name() + " nz: gemm_f32/")) << text;
  // Kinds of weights that stand before it in the table, with their own reasons.
  EXPECT_NE(text.find("not gemm_bf16: float32 is wanted"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with(")")) << text;
}

}  // namespace
}  // namespace tessera::ops
