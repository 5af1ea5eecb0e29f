// The instruction set that was asked for is the one that runs: without this, a test "per ISA" could test one
// ISA thrice.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/isa.h"
#include "kernels/argmax/argmax.h"
#include "kernels/attention/attention.h"
#include "kernels/embedding/embedding.h"
#include "kernels/gemm_f/gemm_bf16.h"
#include "kernels/gemm_f/gemm_bf16_rows.h"
#include "kernels/gemm_f/gemm_f32.h"
#include "kernels/gemm_s8/gemm_s8.h"
#include "kernels/gemm_unpack/gemm_unpack.h"
#include "kernels/hadamard/hadamard.h"
#include "kernels/kv_store/kv_store.h"
#include "kernels/moe_route/moe_route.h"
#include "kernels/quantize_rows/quantize_rows.h"
#include "kernels/rmsnorm/rmsnorm.h"
#include "kernels/rope/rope.h"
#include "kernels/scatter_add/scatter_add.h"
#include "kernels/silu_mul/silu_mul.h"
#include "kernels/softmax/softmax.h"

namespace tessera::kernels {
namespace {

struct Case {
  const char* kernel;
  const char* (*variant)();
  Isa strongest;
};

constexpr Case kCases[] = {
    {"argmax", argmax_variant, Isa::kAvx512},
    {"attention", attention_variant, Isa::kAvx512Bf16},
    {"embedding", embedding_variant, Isa::kAvx512},
    {"gemm_bf16", gemm_bf16_variant, Isa::kAvx512Bf16},
    {"gemm_bf16_rows", gemm_bf16_rows_variant, Isa::kAvx512Bf16},
    {"gemm_f32", gemm_f32_variant, Isa::kAvx512},
    {"gemm_s8", gemm_s8_variant, Isa::kAvx512},
    {"gemm_unpack of bf16", gemm_unpack_bf16_variant, Isa::kAvx512Bf16},
    {"gemm_unpack of float32", gemm_unpack_f32_variant, Isa::kAvx512},
    {"hadamard", hadamard_variant, Isa::kAvx512},
    {"kv_store", kv_store_variant, Isa::kAvx512},
    {"moe_route", moe_route_variant, Isa::kAvx512},
    {"quantize_rows", quantize_rows_variant, Isa::kAvx512},
    {"rmsnorm", rmsnorm_variant, Isa::kAvx512},
    {"rope", rope_variant, Isa::kAvx512},
    {"scatter_add", scatter_add_variant, Isa::kAvx512},
    {"silu_mul", silu_mul_variant, Isa::kAvx512},
    {"softmax", softmax_variant, Isa::kAvx512},
};

TEST(Variants, TheChosenIsaRuns) {
  for (const Case& c : kCases)
    EXPECT_EQ(c.variant(), isa_name(std::min(active_isa(), c.strongest))) << c.kernel;
}

}  // namespace
}  // namespace tessera::kernels
