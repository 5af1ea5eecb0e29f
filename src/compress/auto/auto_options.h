// What `--scheme auto` is asked for, and what it decides: plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/result.h"
#include "quant/recipe.h"

namespace tessera::compress {

/// How large the checkpoint may be.
struct Budget {
  double amount = 0;
  bool is_bits_per_weight =
      false;  // of the decoder layers' linears, scales included; else bytes of all tensors
};

/// "130MB", "1.5GiB", "120000000" or "5.5bpw".
Result<Budget> parse_budget(std::string_view text);

struct AutoOptions {
  std::string low = "w4a4", high = "w8a8";
  std::optional<Budget> budget = {};     // one of these two
  std::optional<double> target_kl = {};  // nats per token, of the mixture rounded to nearest
  int32_t sequences = 4;                 // of the calibration text that sensitivity is measured on
  std::string sensitivity = {};          // sensitivity.json of an earlier run, in place of measuring
};

/// Which scheme each unit (units.h) gets.
struct Mixture {
  std::string low, high;
  int low_group_size = 0, high_group_size = 0;
  std::set<std::string> promoted = {};  // names of units at `high`; never none and never all of them
};

/// Parts 0 and 1: everything at low, everything at high.
Result<quant::Recipe> mixture_recipe(const Mixture& mixture);

}  // namespace tessera::compress
