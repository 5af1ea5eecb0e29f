// `--scheme auto`: how much each unit of a model loses at the low scheme, and which ones are therefore at the
// high one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compress/auto/choose.h"
#include "compress/float_model.h"

namespace tessera::compress {

struct AutoReport {
  std::string low, high;  // as in config.json: "w4a4-g32"
  int low_group_size = 0, high_group_size = 0;
  std::vector<UnitCost> units;                  // in the model's order
  uint64_t other_bytes = 0;                     // of all that is in no unit
  int64_t tokens = 0;                           // that KL is the mean over
  CurvePoint chosen;                            // KL measured
  std::vector<CurvePoint> predicted, measured;  // of mixtures by rising bytes
};

/// Measures, or reads options.automatic->sensitivity, and chooses. `keep` gets what each unit loses before
/// mixtures are measured. All KL is of weights rounded to nearest,
/// with options.clip and the model's rotation: of GPTQ it ranks the units and bounds the loss from above.
/// kInvalidArgument when the budget or target cannot be met.
Result<AutoReport> choose_schemes(const FloatModel& model, const QuantizeOptions& options,
                                  const std::function<Status(const AutoReport&)>& keep);

/// `options` with the schemes of `report` in place of "auto".
QuantizeOptions with_choice(const QuantizeOptions& options, const AutoReport& report);

}  // namespace tessera::compress
