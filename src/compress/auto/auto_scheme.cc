#include "compress/auto/auto_scheme.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "compress/auto/auto_report.h"
#include "compress/auto/mixture_runner.h"
#include "compress/auto/units.h"
#include "compress/options_text.h"

namespace tessera::compress {
namespace {

using formats::TensorSpec;
using formats::compressed_tensors::scheme_of;

QuantizeOptions uniform(const QuantizeOptions& options, const std::string& scheme, bool is_low) {
  QuantizeOptions result = options;
  result.scheme = scheme;
  if (is_low) return result;
  result.group_size = {};
  result.activation_group = 0;
  result.activation_clip = 1;
  return result;
}

uint64_t bytes_of(const QuantizePlan& plan, const QuantizedLinear& linear) {
  const PlannedPart& part = plan.parts[linear.part];
  uint64_t bytes = 0;
  for (const TensorSpec& spec :
       formats::compressed_tensors::linear_specs(linear.name, linear.out, linear.in, part.weight,
                                                 stored_dtype(plan, linear.source->dtype), part.storage)) {
    bytes += static_cast<uint64_t>(spec.shape.numel()) * dtype_size(spec.dtype);
  }
  return bytes;
}

/// Both plans have the same linears in the same order.
struct Plans {
  QuantizePlan low, high;
};

Result<Plans> plan_both(const FloatModel& model, const QuantizeOptions& options) {
  const AutoOptions& automatic = *options.automatic;
  // A mixture's recipe says what is wrong with the names.
  TRY_STATUS(mixture_recipe({.low = automatic.low, .high = automatic.high}));
  Plans plans{.low = TRY(plan_model(model, uniform(options, automatic.low, true)).context("--low")),
              .high = TRY(plan_model(model, uniform(options, automatic.high, false)).context("--high"))};
  return plans;
}

/// The report's units and bytes, and the same units as MixtureRunner wants them.
std::vector<MixtureUnit> fill_units(const Plans& plans, AutoReport& report) {
  const auto by_layer = [](const std::string& a, const std::string& b) {
    return std::pair(layer_of(a), std::string_view(a)) < std::pair(layer_of(b), std::string_view(b));
  };
  std::map<std::string, std::pair<UnitCost, MixtureUnit>, decltype(by_layer)> units(by_layer);
  for (size_t i = 0; i < plans.low.linears.size(); ++i) {
    const QuantizedLinear& linear = plans.low.linears[i];
    if (linear.part != 0) {  // the output head
      report.other_bytes += bytes_of(plans.low, linear);
      continue;
    }
    auto& [cost, unit] = units[unit_of(linear.name)];
    cost.name = unit.name = unit_of(linear.name);
    cost.low_bytes += bytes_of(plans.low, linear);
    cost.high_bytes += bytes_of(plans.high, plans.high.linears[i]);
    cost.weights += static_cast<uint64_t>(linear.out * linear.in);
    unit.linears.push_back(linear.name);
  }
  for (const formats::TensorInfo* copy : plans.low.copies) {
    report.other_bytes +=
        static_cast<uint64_t>(copy->shape.numel()) * dtype_size(stored_dtype(plans.low, copy->dtype));
  }
  std::vector<MixtureUnit> result;
  for (auto& [name, both] : units) {
    report.units.push_back(std::move(both.first));
    result.push_back(std::move(both.second));
  }
  return result;
}

/// One report under way.
class Chooser {
 public:
  Chooser(const MixtureModel& model, const CalibrationData& data, ThreadPool& pool, AutoReport& report)
      : data_(data), report_(report), runner_(model, pool) {}

  Status measure_units() {
    std::vector<Assignment> alone(report_.units.size(), Assignment(report_.units.size(), Level::kFloat));
    for (size_t unit = 0; unit < alone.size(); ++unit)
      alone[unit][unit] = Level::kLow;
    const auto kl = TRY(runner_.divergences(alone, data_, "measuring sensitivity"));
    for (size_t unit = 0; unit < alone.size(); ++unit)
      report_.units[unit].kl = kl[unit];
    report_.tokens = static_cast<int64_t>(data_.ids.size());
    return {};
  }

  /// The fewest promotions with which the mixture itself is as near as asked for.
  Status promote_until(double target_kl) {
    size_t too_few = 0, enough = report_.units.size();
    const CurvePoint all = TRY(measure(enough));
    if (all.kl > target_kl) {
      return invalid_argument("--target-kl={}: {} everywhere has {:.4g}, expected a larger target", target_kl,
                              report_.high, all.kl);
    }
    if (TRY(measure(0)).kl <= target_kl) enough = 0;
    while (enough > too_few + 1) {
      const size_t middle = (too_few + enough) / 2;
      (TRY(measure(middle)).kl <= target_kl ? enough : too_few) = middle;
    }
    promote_first(enough);
    return {};
  }

  /// Of what is chosen, and of a few mixtures for the curve.
  Status measure_mixtures() {
    std::vector<Assignment> mixtures{assignment()};
    report_.chosen.bytes = mixture_bytes(report_.units, report_.other_bytes);
    const auto chosen = report_.units;
    std::vector<CurvePoint> points;
    for (size_t quarter = 0; quarter <= 4; ++quarter) {
      promote_first(report_.units.size() * quarter / 4);
      mixtures.push_back(assignment());
      points.push_back({.bytes = mixture_bytes(report_.units, report_.other_bytes)});
    }
    report_.units = chosen;
    const auto kl = TRY(runner_.divergences(mixtures, data_, "measuring mixtures"));
    report_.chosen.kl = kl.front();
    for (size_t i = 0; i < points.size(); ++i) {
      points[i].kl = kl[i + 1];
      report_.measured.push_back(points[i]);
    }
    return {};
  }

 private:
  void promote_first(size_t count) {
    const auto order = promotion_order(report_.units);
    for (size_t i = 0; i < order.size(); ++i)
      report_.units[order[i]].promoted = i < count;
  }

  Assignment assignment() const {
    Assignment levels;
    for (const UnitCost& unit : report_.units)
      levels.push_back(unit.promoted ? Level::kHigh : Level::kLow);
    return levels;
  }

  Result<CurvePoint> measure(size_t promoted) {
    promote_first(promoted);
    const std::vector<Assignment> one{assignment()};
    const auto kl = TRY(runner_.divergences(one, data_, "measuring a mixture"));
    return CurvePoint{.bytes = mixture_bytes(report_.units, report_.other_bytes), .kl = kl.front()};
  }

  const CalibrationData& data_;
  AutoReport& report_;
  MixtureRunner runner_;
};

}  // namespace

Result<AutoReport> choose_schemes(const FloatModel& model, const QuantizeOptions& options,
                                  const std::function<Status(const AutoReport&)>& keep) {
  const AutoOptions& automatic = *options.automatic;
  const Plans plans = TRY(plan_both(model, options));
  AutoReport report;
  report.low = scheme_of(plans.low.config.groups.front()).name();
  report.high = scheme_of(plans.high.config.groups.front()).name();
  report.low_group_size = plans.low.parts.front().weight.group_size;
  report.high_group_size = plans.high.parts.front().weight.group_size;
  const MixtureModel mixtures{
      .source = model.source(),
      .reader = *model.reader,
      .config = *model.config,
      .units = fill_units(plans, report),
      .low = scheme_of(plans.low.config.groups.front()),
      .high = scheme_of(plans.high.config.groups.front()),
      .rounding = {.scale_dtype = stored_dtype(plans.low, plans.low.linears.front().source->dtype),
                   .clip = options.clip}};
  CalibrationText text = options.calibration;
  text.sequences = automatic.sequences;
  const CalibrationData data = TRY(read_calibration(options.model_path, text, model.config->max_position));
  ThreadPool pool(options.threads > 0 ? options.threads : default_thread_count());
  Chooser chooser(mixtures, data, pool, report);
  if (automatic.sensitivity.empty()) {
    TRY_STATUS(chooser.measure_units());
  } else {
    TRY_STATUS(read_sensitivity(automatic.sensitivity, sensitivity_settings(options), report));
  }
  TRY_STATUS(keep(report));
  if (automatic.budget) TRY_STATUS(promote_within(report.units, *automatic.budget, report.other_bytes));
  if (automatic.target_kl) TRY_STATUS(chooser.promote_until(*automatic.target_kl));
  TRY_STATUS(chooser.measure_mixtures());
  report.predicted = predicted_curve(report.units, report.other_bytes);
  return report;
}

QuantizeOptions with_choice(const QuantizeOptions& options, const AutoReport& report) {
  Mixture mixture{.low = options.automatic->low, .high = options.automatic->high};
  for (const UnitCost& unit : report.units) {
    if (unit.promoted) mixture.promoted.insert(unit.name);
  }
  if (mixture.promoted.empty()) return uniform(options, mixture.low, true);
  if (mixture.promoted.size() == report.units.size()) return uniform(options, mixture.high, false);
  QuantizeOptions result = options;
  mixture.low_group_size = report.low_group_size;
  mixture.high_group_size = report.high_group_size;
  result.mixture = std::move(mixture);
  return result;
}

}  // namespace tessera::compress
