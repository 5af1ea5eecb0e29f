// Which instruction set the kernels use: the best one that the CPU has and the kernel was compiled for, or
// the one that TESSERA_ISA forces. Compiled without ISA flags, so that asking never executes what it asks
// about.
#pragma once

#include <span>
#include <string_view>

#include "base/result.h"

namespace tessera {

/// Ordered: a CPU that has one has all before it.
enum class Isa {
  kScalar = 0,      // plain C++, the reference
  kAvx2 = 1,        // AVX2, FMA, F16C, BMI2 (x86-64-v3)
  kAvx512 = 2,      // AVX-512 F, BW, DQ, VL and VNNI
  kAvx512Bf16 = 3,  // the same and BF16
};

/// "scalar", "avx2", "avx512", "avx512bf16".
std::string_view isa_name(Isa isa);
Result<Isa> parse_isa(std::string_view name);

/// All that are compiled in, weakest first.
std::span<const Isa> all_isas();

/// The best the CPU and its operating system offer.
Isa detect_isa();

/// What kernels use: TESSERA_ISA if set (an error when unknown or lacking on this CPU), else detect_isa().
Result<Isa> choose_isa();

/// choose_isa(), decided once per process; CHECKs that it is valid, so main() calls choose_isa() first.
Isa active_isa();

/// The CPU's brand string, e.g. "AMD EPYC 9J14".
std::string_view cpu_name();

}  // namespace tessera
