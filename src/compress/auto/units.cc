#include "compress/auto/units.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <map>

namespace tessera::compress {
namespace {

constexpr std::string_view kLayers = "layers.", kExperts = ".experts.";
constexpr size_t kLayersPerTarget = 200;  // a target has at most 1024 characters

/// "model.layers.12.mlp.down_proj" as {12, "mlp.down_proj"}.
struct Path {
  int32_t layer = -1;
  std::string_view rest;
};

Path split(std::string_view name) {
  const size_t at = name.find(kLayers);
  if (at == std::string_view::npos) return {};
  Path path;
  const char* const digits = name.data() + at + kLayers.size();
  const auto [end, error] = std::from_chars(digits, name.data() + name.size(), path.layer);
  if (error != std::errc() || end == name.data() + name.size() || *end != '.') return {};
  path.rest = name.substr(static_cast<size_t>(end + 1 - name.data()));
  return path;
}

/// The linears of a unit, as the end of a regex.
std::string members(std::string_view rest) {
  const auto ends = [&](std::string_view word, std::string_view regex) {
    return fmt::format("{}{}$", rest.substr(0, rest.size() - word.size()), regex);
  };
  std::string text;
  if (rest.ends_with("experts")) {
    text = ends("", ".[0-9]+.(gate|up|down)_proj");
  } else if (rest.ends_with("qkv_proj")) {
    text = ends("qkv_proj", "(q|k|v)_proj");
  } else if (rest.ends_with("gate_up_proj")) {
    text = ends("gate_up_proj", "(gate|up)_proj");
  } else {
    text = ends("", "");
  }
  std::string escaped;
  for (const char c : text)
    escaped += c == '.' ? std::string("\\.") : std::string(1, c);
  return escaped;
}

}  // namespace

std::string unit_of(std::string_view linear) {
  if (const size_t experts = linear.find(kExperts); experts != std::string_view::npos)
    return std::string(linear.substr(0, experts + kExperts.size() - 1));
  const size_t leaf = linear.rfind('.') + 1;
  const std::string parent(linear.substr(0, leaf));
  const std::string_view word = linear.substr(leaf);
  if (word == "q_proj" || word == "k_proj" || word == "v_proj") return parent + "qkv_proj";
  if (word == "gate_proj" || word == "up_proj") return parent + "gate_up_proj";
  return std::string(linear);
}

int32_t layer_of(std::string_view name) {
  return split(name).layer;
}

std::vector<std::string> unit_targets(const std::set<std::string>& units) {
  std::map<std::string, std::set<int32_t>> layers;
  for (const std::string& unit : units) {
    const Path path = split(unit);
    layers[members(path.rest)].insert(path.layer);
  }
  std::vector<std::string> targets;
  for (const auto& [end, numbers] : layers) {
    std::vector<int32_t> some;
    for (auto number = numbers.begin(); number != numbers.end();) {
      some.push_back(*number);
      if (++number != numbers.end() && some.size() < kLayersPerTarget) continue;
      targets.push_back(fmt::format(R"(re:.*layers\.({})\.{})", fmt::join(some, "|"), end));
      some.clear();
    }
  }
  return targets;
}

}  // namespace tessera::compress
