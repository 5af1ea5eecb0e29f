// The fields about how to generate, which the three APIs share under partly different names. Everything that
// is asked for and not offered is refused: a constraint is never dropped silently.
#pragma once

#include <span>
#include <string_view>

#include "api/fields.h"
#include "api/model_card.h"
#include "engine/request.h"

namespace tessera::api {

/// A field that is accepted with this value only (or absent, null), because the feature does not exist yet.
struct Refused {
  enum class Neutral { kZero, kOne, kFalse, kEmpty, kNothing };
  std::string_view name;
  Neutral neutral = Neutral::kNothing;
};

/// kUnsupported naming the first field that asks for something not offered.
Status refuse_unsupported(const Fields& fields, std::span<const Refused> refused);

/// Fields that mean the same in every API: grammars and what models here do not have.
std::span<const Refused> refused_everywhere();

/// Where the APIs' names differ.
struct SamplingNames {
  std::string_view seed;
  std::string_view min_tokens;
};
inline constexpr SamplingNames kOpenAiNames{.seed = "seed", .min_tokens = "min_tokens"};
inline constexpr SamplingNames kNativeNames{.seed = "sampling_seed", .min_tokens = "min_new_tokens"};

/// Fills sampling, stop, stop_token_ids, ignore_eos, skip_special_tokens, keep_stop.
Status read_sampling(const Fields& fields, const ModelCard& card, const SamplingNames& names,
                     engine::Request& request);

/// How many answers `name` asks for to each of `prompts` prompts; all together within the limits.
Result<size_t> read_count(const Fields& fields, std::string_view name, size_t prompts, const ModelCard& card);

/// Appends `count` of `request`. Each draws with a seed of its own: the n-th answer to a request with a seed
/// is that of a request with seed + n.
void add_samples(const engine::Request& request, size_t count, std::vector<engine::Request>& requests);

/// max_new_tokens: what was asked, or `fallback`, cut down to what the context leaves; `fallback` < 0: all
/// that it leaves. kInvalidArgument when the prompt fills the context or prompt and answer together exceed
/// it.
Status limit_tokens(std::optional<int64_t> asked, int32_t fallback, const ModelCard& card,
                    engine::Request& request);

}  // namespace tessera::api
