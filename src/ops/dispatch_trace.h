// What TESSERA_TRACE=dispatch says of a Linear: its kernel, and why each better one is not it.
#pragma once

#include <string>
#include <string_view>

#include "base/isa.h"
#include "ops/linear.h"
#include "ops/packed_weights.h"

namespace tessera::ops {

/// "[1024, 2048] w4a8 nz: gemm_s8/avx512 (avx512bf16: gemm_s8 has no such variant)": shape [out, in], scheme,
/// layout, kernel; in brackets the stronger instruction sets, then the kinds of weights that were tried
/// before and refused.
std::string describe_dispatch(const Linear& linear, const PackOptions& options);

/// Why a kernel named "NAME/ISA" runs in no stronger instruction set, one reason each, joined by "; "; empty
/// when there is no stronger one. `active` is what the kernels may use, `detected` what the CPU has.
std::string stronger_isas(std::string_view kernel, Isa active, Isa detected);

}  // namespace tessera::ops
