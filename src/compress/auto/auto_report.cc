#include "compress/auto/auto_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/file.h"
#include "formats/json_limits.h"

namespace tessera::compress {
namespace {

using nlohmann::json;

constexpr uint64_t kMaxFileBytes = 64 << 20;
constexpr int kBarWidth = 50;

double megabytes(uint64_t bytes) {
  return static_cast<double>(bytes) / 1e6;
}

json points(const std::vector<CurvePoint>& curve) {
  json list = json::array();
  for (const CurvePoint& point : curve)
    list.push_back({{"bytes", point.bytes}, {"kl", point.kl}});
  return list;
}

void append_curve(const AutoReport& report, std::string& text) {
  std::vector<CurvePoint> curve = report.measured;
  curve.push_back(report.chosen);
  std::ranges::stable_sort(curve, {}, &CurvePoint::bytes);
  double most = 0;
  for (const CurvePoint& point : curve)
    most = std::max(most, point.kl);
  text += "\n      MB        KL   of mixtures, measured\n";
  for (const CurvePoint& point : curve) {
    const bool chosen = point.bytes == report.chosen.bytes && point.kl == report.chosen.kl;
    const auto width = most > 0 ? std::lround(point.kl / most * kBarWidth) : 0;
    fmt::format_to(std::back_inserter(text), "{:8.1f}  {:8.4f}   {}{}\n", megabytes(point.bytes), point.kl,
                   std::string(static_cast<size_t>(width), '#'), chosen ? " <- chosen" : "");
  }
}

}  // namespace

std::string to_text(const AutoReport& report) {
  size_t width = 6;
  for (const UnitCost& unit : report.units)
    width = std::max(width, unit.name.size());
  std::string text = fmt::format("{:{}}  {:>10}  {:>10}  {:>9}  chosen\n", "module", width,
                                 report.low + " KB", report.high + " KB", "KL");
  for (const size_t index : promotion_order(report.units)) {
    const UnitCost& unit = report.units[index];
    fmt::format_to(std::back_inserter(text), "{:{}}  {:10.1f}  {:10.1f}  {:9.6f}  {}\n", unit.name, width,
                   static_cast<double>(unit.low_bytes) / 1e3, static_cast<double>(unit.high_bytes) / 1e3,
                   unit.kl, unit.promoted ? report.high : report.low);
  }
  append_curve(report, text);
  return text;
}

nlohmann::json to_json(const AutoReport& report, const nlohmann::json& settings) {
  json units = json::array();
  for (const UnitCost& unit : report.units) {
    units.push_back({{"name", unit.name},
                     {"low_bytes", unit.low_bytes},
                     {"high_bytes", unit.high_bytes},
                     {"kl", unit.kl},
                     {"chosen", unit.promoted ? report.high : report.low}});
  }
  return {{"low", report.low},
          {"high", report.high},
          {"settings", settings},
          {"tokens", report.tokens},
          {"units", std::move(units)},
          {"chosen", {{"bytes", report.chosen.bytes}, {"kl", report.chosen.kl}}},
          {"measured", points(report.measured)},
          {"predicted", points(report.predicted)}};
}

Status read_sensitivity(const std::string& file, const nlohmann::json& settings, AutoReport& report) try {
  const std::string text = TRY(read_text_file(file, kMaxFileBytes));
  const json saved = TRY(formats::parse_json(text, file));
  for (const auto& [key, expected] :
       {std::pair("low", json(report.low)), {"high", json(report.high)}, {"settings", settings}}) {
    if (saved.at(key) == expected) continue;
    return invalid_argument("--sensitivity={}: {} {}, expected {}", file, key, saved.at(key).dump(),
                            expected.dump());
  }
  std::unordered_map<std::string, const json*> units;
  for (const json& unit : saved.at("units"))
    units.emplace(unit.at("name").get<std::string>(), &unit);
  for (UnitCost& unit : report.units) {
    const auto found = units.find(unit.name);
    if (found == units.end() || found->second->at("low_bytes") != unit.low_bytes ||
        found->second->at("high_bytes") != unit.high_bytes) {
      return invalid_argument(
          "--sensitivity={}: {} is not in it with {} and {} bytes, expected a run on this model", file,
          unit.name, unit.low_bytes, unit.high_bytes);
    }
    unit.kl = found->second->at("kl").get<double>();
    if (!(unit.kl >= 0) || !std::isfinite(unit.kl))
      return data_corrupt("--sensitivity={}: KL {} of {}, expected >= 0", file, unit.kl, unit.name);
  }
  report.tokens = saved.at("tokens").get<int64_t>();
  return {};
} catch (const json::exception& error) {
  return data_corrupt("--sensitivity={}: {}", file, error.what());
}

}  // namespace tessera::compress
