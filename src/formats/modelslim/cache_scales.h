// C8: kv_cache_scale and kv_cache_offset of k_proj and v_proj, the codes of an int8 cache for each column of
// each head. Keys are those that the cache holds: after norm and rotation. Pure; thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/modelslim/description.h"
#include "formats/tensor_source.h"
#include "formats/weight_format.h"
#include "quant/attention_data.h"

namespace tessera::formats::modelslim {

/// Full names of those tensors of the module `attention` ("...self_attn") that are there.
std::vector<std::string> cache_tensor_names(const TensorSource& source, std::string_view attention);

/// Misfits of types and shapes; none where the module has no such tensor.
std::vector<std::string> cache_misfits(const TensorSource& source, const Description& description,
                                       std::string_view attention, const AttentionHeads& heads);

/// Fills the cache's part of `data`. After the misfits were found to be none; kDataCorrupt for scales that
/// are not numbers > 0 and offsets that are no codes.
Status read_cache_scales(const TensorSource& source, std::string_view attention, quant::AttentionData& data);

}  // namespace tessera::formats::modelslim
