#include "formats/gguf/ggml_type.h"

#include <array>
#include <bit>
#include <cstring>
#include <string>

#include "base/check.h"
#include "tensor/float_convert.h"

namespace tessera::formats::gguf {
namespace {

uint16_t load_u16(const uint8_t* bytes) {
  return static_cast<uint16_t>(bytes[0] | (bytes[1] << 8));
}
uint32_t load_u32(const uint8_t* bytes) {
  return load_u16(bytes) | (static_cast<uint32_t>(load_u16(bytes + 2)) << 16);
}
float load_f16(const uint8_t* bytes) {
  return f16_to_f32(load_u16(bytes));
}

void decode_f32(const uint8_t* block, float* out) {
  *out = std::bit_cast<float>(load_u32(block));
}
void decode_f16(const uint8_t* block, float* out) {
  *out = load_f16(block);
}
void decode_bf16(const uint8_t* block, float* out) {
  *out = bf16_to_f32(load_u16(block));
}

// Blocks of 32: a float16 scale d (and minimum m), then codes; nibbles hold elements i and i + 16.
constexpr int kHalf = 16;

void decode_q4_0(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  const uint8_t* codes = block + 2;
  for (int i = 0; i < kHalf; ++i) {
    out[i] = d * static_cast<float>((codes[i] & 15) - 8);
    out[i + kHalf] = d * static_cast<float>((codes[i] >> 4) - 8);
  }
}

void decode_q4_1(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  const float m = load_f16(block + 2);
  const uint8_t* codes = block + 4;
  for (int i = 0; i < kHalf; ++i) {
    out[i] = d * static_cast<float>(codes[i] & 15) + m;
    out[i + kHalf] = d * static_cast<float>(codes[i] >> 4) + m;
  }
}

// The fifth bit of element i is bit i of a 32-bit word.
void fifth_bits(uint32_t high, const uint8_t* codes, int* values) {
  for (int i = 0; i < kHalf; ++i) {
    values[i] = (codes[i] & 15) | (static_cast<int>((high >> i) & 1U) << 4);
    values[i + kHalf] = (codes[i] >> 4) | (static_cast<int>((high >> (i + kHalf)) & 1U) << 4);
  }
}

void decode_q5_0(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  std::array<int, 2 * kHalf> values{};
  fifth_bits(load_u32(block + 2), block + 6, values.data());
  for (size_t i = 0; i < values.size(); ++i)
    out[i] = d * static_cast<float>(values[i] - 16);
}

void decode_q5_1(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  const float m = load_f16(block + 2);
  std::array<int, 2 * kHalf> values{};
  fifth_bits(load_u32(block + 4), block + 8, values.data());
  for (size_t i = 0; i < values.size(); ++i)
    out[i] = d * static_cast<float>(values[i]) + m;
}

void decode_q8_0(const uint8_t* block, float* out) {
  const float d = load_f16(block);
  for (int i = 0; i < 2 * kHalf; ++i)
    out[i] = static_cast<float>(static_cast<int8_t>(block[2 + i])) * d;
}

// Super-blocks of 256: sub-blocks of 16 or 32 with small integer scales, themselves scaled by float16.
constexpr int kSuper = 256;

// 2-bit codes: each 32 bytes hold 128 elements, element e at bits 2 * (e / 32) of byte e % 32. scales: 16
// bytes, low nibble the scale, high nibble the minimum of 16 elements.
void decode_q2_k(const uint8_t* block, float* out) {
  const uint8_t* scales = block;
  const uint8_t* codes = block + 16;
  const float d = load_f16(block + 80);
  const float dmin = load_f16(block + 82);
  for (int e = 0; e < kSuper; ++e) {
    const int code = (codes[e / 128 * 32 + e % 32] >> (2 * (e % 128 / 32))) & 3;
    const uint8_t scale = scales[e / 16];
    const float scaled = d * static_cast<float>(scale & 15);
    const float minimum = dmin * static_cast<float>(scale >> 4);
    out[e] = scaled * static_cast<float>(code) - minimum;
  }
}

// The 6-bit scale of 16 elements: low nibbles in bytes 0-7, high 2 bits in bytes 8-11.
int q3_k_scale(const uint8_t* scales, int group) {
  const int low = group < 8 ? scales[group] & 15 : scales[group - 8] >> 4;
  const int high = (scales[8 + group % 4] >> (2 * (group / 4))) & 3;
  return (low | (high << 4)) - 32;
}

// Codes as in Q2_K; the third bit of element e is bit e / 32 of byte e % 32 of the mask, and means + 4 - 4.
void decode_q3_k(const uint8_t* block, float* out) {
  const uint8_t* mask = block;
  const uint8_t* codes = block + 32;
  const uint8_t* scales = block + 96;
  const float d = load_f16(block + 108);
  for (int e = 0; e < kSuper; ++e) {
    const int low = (codes[e / 128 * 32 + e % 32] >> (2 * (e % 128 / 32))) & 3;
    const int set = (mask[e % 32] >> (e / 32)) & 1;
    const float scaled = d * static_cast<float>(q3_k_scale(scales, e / 16));
    out[e] = scaled * static_cast<float>(low - (set != 0 ? 0 : 4));
  }
}

struct ScaleMin {
  float scaled;
  float minimum;
};

// Q4_K and Q5_K: d, dmin, then 12 bytes with eight 6-bit scales and eight 6-bit minimums of 32 elements.
ScaleMin k_scale_min(const uint8_t* block, int group) {
  const uint8_t* packed = block + 4;
  int scale = 0;
  int minimum = 0;
  if (group < 4) {
    scale = packed[group] & 63;
    minimum = packed[group + 4] & 63;
  } else {
    scale = (packed[group + 4] & 15) | ((packed[group - 4] >> 6) << 4);
    minimum = (packed[group + 4] >> 4) | ((packed[group] >> 6) << 4);
  }
  return {load_f16(block) * static_cast<float>(scale), load_f16(block + 2) * static_cast<float>(minimum)};
}

// 4-bit codes: each 32 bytes hold 64 elements, the low nibbles the first 32.
int k_nibble(const uint8_t* codes, int e) {
  const uint8_t byte = codes[e / 64 * 32 + e % 32];
  return e % 64 < 32 ? byte & 15 : byte >> 4;
}

void decode_q4_k(const uint8_t* block, float* out) {
  for (int group = 0; group < kSuper / 32; ++group) {
    const ScaleMin scale = k_scale_min(block, group);
    for (int e = 32 * group; e < 32 * (group + 1); ++e) {
      out[e] = scale.scaled * static_cast<float>(k_nibble(block + 16, e)) - scale.minimum;
    }
  }
}

void decode_q5_k(const uint8_t* block, float* out) {
  const uint8_t* high = block + 16;
  for (int group = 0; group < kSuper / 32; ++group) {
    const ScaleMin scale = k_scale_min(block, group);
    for (int e = 32 * group; e < 32 * (group + 1); ++e) {
      const int code = k_nibble(block + 48, e) | (((high[e % 32] >> group) & 1) << 4);
      out[e] = scale.scaled * static_cast<float>(code) - scale.minimum;
    }
  }
}

// 6-bit codes: low nibbles, 64 bytes per 128 elements; high 2 bits, 32 bytes per 128 elements; int8 scale of
// 16 elements.
void decode_q6_k(const uint8_t* block, float* out) {
  const uint8_t* low = block;
  const uint8_t* high = block + 128;
  const uint8_t* scales = block + 192;
  const float d = load_f16(block + 208);
  for (int e = 0; e < kSuper; ++e) {
    const uint8_t byte = low[e / 128 * 64 + e % 64];
    const int nibble = e % 128 < 64 ? byte & 15 : byte >> 4;
    const int top = (high[e / 128 * 32 + e % 32] >> (2 * (e % 128 / 32))) & 3;
    const float scaled = d * static_cast<float>(static_cast<int8_t>(scales[e / 16]));
    out[e] = scaled * static_cast<float>((nibble | (top << 4)) - 32);
  }
}

constexpr std::array<GgmlType, 13> kTypes{{{"F32", 0, 1, 4, decode_f32},
                                           {"F16", 1, 1, 2, decode_f16},
                                           {"Q4_0", 2, 32, 18, decode_q4_0},
                                           {"Q4_1", 3, 32, 20, decode_q4_1},
                                           {"Q5_0", 6, 32, 22, decode_q5_0},
                                           {"Q5_1", 7, 32, 24, decode_q5_1},
                                           {"Q8_0", 8, 32, 34, decode_q8_0},
                                           {"Q2_K", 10, 256, 84, decode_q2_k},
                                           {"Q3_K", 11, 256, 110, decode_q3_k},
                                           {"Q4_K", 12, 256, 144, decode_q4_k},
                                           {"Q5_K", 13, 256, 176, decode_q5_k},
                                           {"Q6_K", 14, 256, 210, decode_q6_k},
                                           {"BF16", 30, 1, 2, decode_bf16}}};

// Types that files carry and we do not import, for the message only.
constexpr std::array<std::pair<uint32_t, std::string_view>, 19> kOtherTypes{{{9, "Q8_1"},
                                                                             {15, "Q8_K"},
                                                                             {16, "IQ2_XXS"},
                                                                             {17, "IQ2_XS"},
                                                                             {18, "IQ3_XXS"},
                                                                             {19, "IQ1_S"},
                                                                             {20, "IQ4_NL"},
                                                                             {21, "IQ3_S"},
                                                                             {22, "IQ2_S"},
                                                                             {23, "IQ4_XS"},
                                                                             {24, "I8"},
                                                                             {25, "I16"},
                                                                             {26, "I32"},
                                                                             {27, "I64"},
                                                                             {28, "F64"},
                                                                             {29, "IQ1_M"},
                                                                             {34, "TQ1_0"},
                                                                             {35, "TQ2_0"},
                                                                             {39, "MXFP4"}}};

}  // namespace

std::span<const GgmlType> supported_types() {
  return kTypes;
}

Result<const GgmlType*> find_type(uint32_t id) {
  for (const GgmlType& type : kTypes) {
    if (type.id == id) return &type;
  }
  std::string_view name = "unknown";
  for (const auto& [other_id, other_name] : kOtherTypes) {
    if (other_id == id) name = other_name;
  }
  std::string supported;
  for (const GgmlType& type : kTypes)
    supported.append(supported.empty() ? "" : " ").append(type.name);
  return unsupported("tensor type {} ({}), expected one of {}", id, name, supported);
}

void dequantize(const GgmlType& type, std::span<const std::byte> blocks, std::span<float> out) {
  const size_t count = out.size() / type.block_elements;
  CHECK(count * type.block_elements == out.size() && count * type.block_bytes == blocks.size(),
        "{}: {} bytes for {} elements", type.name, blocks.size(), out.size());
  const auto* block = reinterpret_cast<const uint8_t*>(blocks.data());
  float* place = out.data();
  for (size_t i = 0; i < count; ++i, block += type.block_bytes, place += type.block_elements)
    type.decode(block, place);
}

}  // namespace tessera::formats::gguf
