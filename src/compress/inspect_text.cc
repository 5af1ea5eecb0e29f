// Inspection as JSON and as text.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "compress/inspect.h"

namespace tessera::compress {
namespace {

std::string megabytes(uint64_t bytes) {
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

}  // namespace

nlohmann::json to_json(const Inspection& inspection) {
  nlohmann::json schemes = nlohmann::json::object();
  for (const auto& [name, totals] : inspection.schemes) {
    schemes[name] = {{"linears", totals.linears}, {"tensors", totals.tensors}, {"bytes", totals.bytes}};
  }
  nlohmann::json linears = nlohmann::json::array();
  for (const LinearKind& kind : inspection.linears) {
    linears.push_back({{"name", kind.name},
                       {"scheme", kind.scheme},
                       {"out", kind.out},
                       {"in", kind.in},
                       {"layers", kind.layers},
                       {"linears", kind.linears},
                       {"bytes", kind.bytes}});
  }
  return {{"architecture", inspection.architecture},
          {"format", inspection.format},
          {"schemes", std::move(schemes)},
          {"linears", std::move(linears)},
          {"total_bytes", inspection.total_bytes},
          {"plan",
           {{"packed_bytes", inspection.plan.packed_bytes},
            {"largest_tensor_bytes", inspection.plan.largest_tensor_bytes},
            {"peak_bytes", inspection.plan.peak_bytes}}},
          {"refusals", inspection.refusals}};
}

std::string to_text(const Inspection& inspection) {
  std::string text =
      fmt::format("architecture  {}\nformat        {}\ntensors       {}\n\n", inspection.architecture,
                  inspection.format, megabytes(inspection.total_bytes));
  text += fmt::format("{:<44} {:<12} {:>15} {:>8} {:>12}  {}\n", "linear", "scheme", "[out, in]", "count",
                      "bytes", "layers");
  for (const LinearKind& kind : inspection.linears) {
    text += fmt::format("{:<44} {:<12} {:>15} {:>8} {:>12}  {}\n", kind.name, kind.scheme,
                        fmt::format("[{}, {}]", kind.out, kind.in), kind.linears, megabytes(kind.bytes),
                        kind.layers);
  }
  text += fmt::format("\n{:<12} {:>8} {:>8} {:>12}\n", "scheme", "linears", "tensors", "bytes");
  for (const auto& [name, totals] : inspection.schemes) {
    text += fmt::format("{:<12} {:>8} {:>8} {:>12}\n", name, totals.linears, totals.tensors,
                        megabytes(totals.bytes));
  }
  text += fmt::format("\nmemory plan   {} packed + {} largest tensor + 268.4 MB = at most {} while loading\n",
                      megabytes(inspection.plan.packed_bytes),
                      megabytes(inspection.plan.largest_tensor_bytes), megabytes(inspection.plan.peak_bytes));
  if (inspection.refusals.empty()) return text + "refusals      none: the weights can be loaded\n";
  text += "refusals\n";
  for (const std::string& refusal : inspection.refusals)
    text += "  " + refusal + "\n";
  return text;
}

}  // namespace tessera::compress
