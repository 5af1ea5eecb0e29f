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

/// Fields that mean the same in every API: penalties, grammars, counts.
std::span<const Refused> refused_everywhere();

/// Fills sampling, stop, stop_token_ids, ignore_eos, skip_special_tokens, keep_stop. `seed_name`: OpenAI's
/// "seed" or SGLang's "sampling_seed".
Status read_sampling(const Fields& fields, const ModelCard& card, std::string_view seed_name,
                     engine::Request& request);

/// max_new_tokens: what was asked, or `fallback`, cut down to what the context leaves; `fallback` < 0: all
/// that it leaves. kInvalidArgument when the prompt fills the context or prompt and answer together exceed
/// it.
Status limit_tokens(std::optional<int64_t> asked, int32_t fallback, const ModelCard& card,
                    engine::Request& request);

}  // namespace tessera::api
