// A config.json of any origin, as the architectures read it: what is accepted can be multiplied and declared
// without harm.
#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "formats/json_limits.h"
#include "kernels/attention/attention.h"
#include "models/architecture.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tessera;
  const auto value = formats::parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!value.has_value() || !value->is_object()) return 0;
  const auto parsed = models::parse_model_config(*value);
  if (!parsed.has_value()) return 0;
  const models::ModelConfig& config = *parsed;
  for (const int32_t number : {config.vocab, config.hidden, config.intermediate, config.layers, config.heads,
                               config.kv_heads, config.head_dim, config.max_position})
    CHECK(number > 0 && number <= 1 << 26, "{}", number);
  CHECK(config.head_dim <= kernels::kMaxHeadDim && config.head_dim % 8 == 0, "{}", config.head_dim);
  CHECK(config.heads % config.kv_heads == 0, "{} heads, {} for keys", config.heads, config.kv_heads);
  CHECK(config.norm_eps >= 0 && config.rope.theta > 1, "eps {}, theta {}", config.norm_eps,
        config.rope.theta);
  CHECK(config.windows.empty() || std::cmp_equal(config.windows.size(), config.layers), "{} windows",
        config.windows.size());
  if (!config.moe) return 0;
  const models::MoeConfig& moe = *config.moe;
  CHECK(std::cmp_equal(moe.layers.size(), config.layers), "{} layers of {}", moe.layers.size(),
        config.layers);
  CHECK(moe.experts > 0 && moe.experts_per_token > 0 && moe.experts_per_token <= moe.experts, "{} of {}",
        moe.experts_per_token, moe.experts);
  CHECK(std::ranges::count(moe.layers, true) * moe.experts <= 1 << 17, "{} experts in {} layers", moe.experts,
        config.layers);
  return 0;
}
