// The table of variants of a kernel and how one is chosen: the strongest that active_isa() allows. A kernel's
// .cc lists its variants weakest first, beginning with scalar; files compiled for one instruction set never
// include this.
#pragma once

#include <span>
#include <string_view>

#include "base/isa.h"

namespace tessera::kernels {

template <class Fn>
struct Variant {
  Isa isa;
  Fn fn;
};

template <class Fn>
const Variant<Fn>& choose_variant(std::span<const Variant<Fn>> variants) {
  const Isa allowed = active_isa();
  size_t best = 0;
  for (size_t i = 1; i < variants.size(); ++i) {
    if (variants[i].isa <= allowed) best = i;
  }
  return variants[best];
}

}  // namespace tessera::kernels
