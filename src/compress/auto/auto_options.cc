#include "compress/auto/auto_options.h"

#include <cmath>
#include <cstdlib>
#include <utility>

namespace tessera::compress {
namespace {

constexpr std::pair<std::string_view, double> kSuffixes[] = {
    {"", 1},     {"B", 1},         {"KB", 1e3},      {"MB", 1e6},
    {"GB", 1e9}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
};

Result<quant::RecipePart> only_part(const std::string& scheme, std::string_view option) {
  const auto recipe = quant::find_recipe(scheme);
  if (recipe && recipe->parts.size() == 1) return recipe->parts.front();
  return invalid_argument("--{}={}, expected w8a8, w4a8, w4a4, w8a16 or w4a16", option, scheme);
}

}  // namespace

Result<Budget> parse_budget(std::string_view text) {
  const std::string copy(text);
  char* end = nullptr;
  const double amount = std::strtod(copy.c_str(), &end);
  const std::string_view suffix = end;
  if (end != copy.c_str() && std::isfinite(amount) && amount > 0) {
    if (suffix == "bpw") return Budget{.amount = amount, .is_bits_per_weight = true};
    for (const auto& [name, factor] : kSuffixes) {
      if (suffix == name) return Budget{.amount = amount * factor};
    }
  }
  return invalid_argument("--budget={}, expected bytes (130MB, 1.5GiB) or bits per weight (5.5bpw)", text);
}

Result<quant::Recipe> mixture_recipe(const Mixture& mixture) {
  return quant::Recipe{.name = "auto",
                       .parts = {TRY(only_part(mixture.low, "low")), TRY(only_part(mixture.high, "high"))}};
}

}  // namespace tessera::compress
