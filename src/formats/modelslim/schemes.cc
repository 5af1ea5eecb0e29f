#include "formats/modelslim/schemes.h"

#include <algorithm>
#include <array>

namespace tessera::formats::modelslim {
namespace {

constexpr Storages kBytes{};
// W4A8 and, since the saver of July 2026, W4A4: two rows to a byte. W4A16 packs rows when it has groups and
// columns when it has none.
constexpr Storages kRows{.bytes = true, .pairs_of_rows = true};
constexpr Storages kAny{.bytes = true, .pairs_of_rows = true, .pairs_of_columns = true};

constexpr std::array<TypeFacts, 9> kTypes = {{
    {.name = "FLOAT", .weight_bits = 16, .activation_bits = 16, .storages = kBytes},
    {.name = "W8A8",
     .weight_bits = 8,
     .activation_bits = 8,
     .storages = kBytes,
     .static_input = true,
     .has_weight_scale = false},
    {.name = "W8A8_DYNAMIC", .weight_bits = 8, .activation_bits = 8, .storages = kBytes},
    {.name = "W8A8_MIX", .weight_bits = 8, .activation_bits = 8, .storages = kBytes, .static_input = true},
    {.name = "W8A16", .weight_bits = 8, .activation_bits = 16, .storages = kBytes},
    {.name = "W4A16", .weight_bits = 4, .activation_bits = 16, .storages = kAny},
    {.name = "W4A8_DYNAMIC", .weight_bits = 4, .activation_bits = 8, .storages = kRows},
    {.name = "W4A4_DYNAMIC", .weight_bits = 4, .activation_bits = 4, .storages = kRows},
    {.name = "W4A4_FLATQUANT_DYNAMIC",
     .weight_bits = 4,
     .activation_bits = 4,
     .storages = kRows,
     .kronecker = true},
}};

}  // namespace

const TypeFacts* find_type(std::string_view name) {
  const auto* facts = std::ranges::find(kTypes, name, &TypeFacts::name);
  return facts == kTypes.end() ? nullptr : facts;
}

std::span<const TypeFacts> types() {
  return kTypes;
}

std::string supported_types() {
  std::string text;
  for (const TypeFacts& facts : kTypes) {
    if (!text.empty()) text += ", ";
    text += facts.name;
  }
  return text;
}

}  // namespace tessera::formats::modelslim
