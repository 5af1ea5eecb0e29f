// Units: linears of a decoder layer that always get the same scheme, since engines fuse them into one matrix
// or run them in one kernel: q/k/v; gate/up; all experts of a layer, down_proj included (vLLM takes one
// scheme per block of experts). Every other linear is a unit of its own. Pure functions.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tessera::compress {

/// The unit of the linear at this path: "model.layers.3.self_attn.qkv_proj", "model.layers.3.mlp.experts" ...
std::string unit_of(std::string_view linear);

/// "model.layers.3.x" -> 3; -1 for other names.
int32_t layer_of(std::string_view name);

/// compressed-tensors targets that match the linears of these units and nothing else: a regex for each kind,
/// with the list of its layers.
std::vector<std::string> unit_targets(const std::set<std::string>& units);

}  // namespace tessera::compress
