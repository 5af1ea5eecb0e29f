#include "base/isa.h"

#include <cpuid.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/check.h"

namespace tessera {
namespace {

constexpr std::array kIsas{Isa::kScalar, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Bf16};

std::string read_cpu_name() {
  std::array<unsigned, 12> words{};
  for (unsigned leaf = 0; leaf < 3; ++leaf) {
    unsigned* w = &words[leaf * 4];
    if (!__get_cpuid(0x80000002U + leaf, w, w + 1, w + 2, w + 3)) return "unknown x86-64";
  }
  std::string name(reinterpret_cast<const char*>(words.data()), sizeof(words));
  name.resize(std::strlen(name.c_str()));
  while (!name.empty() && name.back() == ' ')
    name.pop_back();
  return name;
}

}  // namespace

std::string_view isa_name(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return "scalar";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx512Bf16:
      return "avx512bf16";
  }
  return "unknown";
}

Result<Isa> parse_isa(std::string_view name) {
  for (const Isa isa : kIsas) {
    if (isa_name(isa) == name) return isa;
  }
  return invalid_argument("instruction set \"{}\" is unknown, expected scalar, avx2, avx512 or avx512bf16",
                          name);
}

std::span<const Isa> all_isas() {
  return kIsas;
}

Isa detect_isa() {
  // __builtin_cpu_supports also asks the operating system (XGETBV) whether the registers are saved.
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c") && __builtin_cpu_supports("bmi2");
  if (!avx2) return Isa::kScalar;
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512vnni");
  if (!avx512) return Isa::kAvx2;
  return __builtin_cpu_supports("avx512bf16") ? Isa::kAvx512Bf16 : Isa::kAvx512;
}

Result<Isa> choose_isa() {
  const Isa best = detect_isa();
  const char* forced_name = std::getenv("TESSERA_ISA");
  if (forced_name == nullptr || *forced_name == '\0') return best;
  const Isa forced = TRY(parse_isa(forced_name).context("TESSERA_ISA"));
  if (forced > best) {
    return unsupported("TESSERA_ISA={}: this CPU ({}) offers at most {}", forced_name, cpu_name(),
                       isa_name(best));
  }
  return forced;
}

Isa active_isa() {
  static const Isa chosen = [] {
    auto isa = choose_isa();
    CHECK(isa.has_value(), "{}", isa.error().message());
    return *isa;
  }();
  return chosen;
}

std::string_view cpu_name() {
  static const std::string name = read_cpu_name();
  return name;
}

}  // namespace tessera
