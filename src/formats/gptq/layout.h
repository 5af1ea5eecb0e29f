// How a checkpoint packs integer weights into 32-bit words: what differs between GPTQ and AutoAWQ, as facts.
// Both store a linear [out, in] transposed, with unsigned codes q and zero points z of the same width: w = (q
// - z) * scale.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace tessera::formats::gptq {

enum class Packing : uint8_t {
  kInputs,  // a word of qweight [in * bits / 32, out] holds the codes of successive inputs, lowest bits first
  kOutputs,  // a word of qweight [in, out / 8] holds eight outputs in the order 0 2 4 6 1 3 5 7, and so does
             // one of qzeros
};

/// Bits that a code may have, and those that it is kept in.
inline constexpr std::array kWidths = {2, 3, 4, 8};
constexpr int kept_width(int bits) {
  return bits <= 4 ? 4 : 8;
}

struct Layout {
  std::string_view format;  // as --quantization names it
  Packing packing = Packing::kInputs;
  int bits = 4;        // by the config; the tensors have the last word where they can tell
  int group_size = 0;  // by the config; 0 = all inputs
  bool zeros_less_one =
      false;  // a word of qzeros is stored as the number that is 1 less in every code (GPTQ's version 1)
  bool ordered = false;  // columns of a group lie apart: g_idx must be there
};

}  // namespace tessera::formats::gptq
