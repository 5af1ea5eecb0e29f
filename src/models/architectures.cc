#include <fmt/ranges.h>

#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "models/architecture.h"
#include "models/llama/llama.h"
#include "models/qwen2/qwen2.h"
#include "models/qwen3/qwen3.h"
#include "models/qwen3_moe/qwen3_moe.h"

namespace tessera::models {
namespace {
constexpr std::array kArchitectures{&kLlama, &kQwen2, &kQwen3, &kQwen3Moe};
}

std::span<const Architecture* const> architectures() {
  return kArchitectures;
}

Result<ModelConfig> parse_model_config(const nlohmann::json& config) {
  const auto names = config.find("architectures");
  if (names == config.end() || !names->is_array() || names->empty() || !names->front().is_string()) {
    return invalid_argument("config.json: architectures is missing, expected a list with one name");
  }
  const auto name = names->front().get<std::string>();
  std::vector<std::string_view> known;
  for (const Architecture* architecture : kArchitectures) {
    known.push_back(architecture->name);
    if (architecture->name != name) continue;
    auto parsed = TRY(architecture->parse(config).context("config.json"));
    parsed.architecture = name;
    return parsed;
  }
  return unsupported("config.json: architecture \"{:.100}\" is unknown, expected one of {}", name,
                     fmt::join(known, ", "));
}

}  // namespace tessera::models
