// kv_cache_scheme: the scales of keys and values that a checkpoint brings for an int8 cache, one number for
// all heads or one for each. Float schemes are not applied (remarks() says so). Pure; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/compressed_tensors/config.h"
#include "formats/tensor_source.h"
#include "quant/attention_data.h"

namespace tessera::formats::compressed_tensors {

/// What of an integer scheme we cannot run; empty: all of it can be.
std::string cache_problem(const QuantArgs& scheme);

/// Tensors that belong to the scheme of the attention that `projection` ("...self_attn.k_proj") is part of,
/// under every name that they have had, whether we read them or not.
std::vector<std::string> cache_tensor_names(const TensorSource& source, std::string_view projection);

/// Misfits of the scales of the module `attention` with so many heads of keys.
std::vector<std::string> cache_misfits(const TensorSource& source, const std::optional<QuantArgs>& scheme,
                                       std::string_view attention, int32_t heads);

/// Fills the cache's part of `data`. After the misfits were found to be none; kDataCorrupt for scales that
/// are not numbers > 0.
Status read_cache_scales(const TensorSource& source, const std::optional<QuantArgs>& scheme,
                         std::string_view attention, int32_t heads, quant::AttentionData& data);

}  // namespace tessera::formats::compressed_tensors
