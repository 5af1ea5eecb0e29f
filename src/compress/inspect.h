// inspect_directory: what a model directory holds, without loading it: schemes per kind of linear and in
// total, the memory that loading takes, and everything that loading would refuse. Reads headers
// and a few bytes.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "base/result.h"

namespace tessera::compress {

struct SchemeTotals {
  uint64_t linears = 0, tensors = 0, bytes = 0;
};

/// Linears of one role and scheme: "model.layers.*.mlp.down_proj", numbers in the path replaced by *.
struct LinearKind {
  std::string name, scheme;
  int64_t out = 0, in = 0;
  std::string layers;  // "0-3,7": the first number of the paths; empty when they have none
  uint64_t linears = 0, bytes = 0;
};

struct LoadPlan {
  uint64_t packed_bytes = 0;  // all weights as they lie in memory once loaded; 0: of no model that we know
  uint64_t largest_tensor_bytes = 0;  // of the file: the staging buffer
  uint64_t peak_bytes = 0;            // their sum and 256 MiB
};

struct Inspection {
  std::string architecture;  // "LlamaForCausalLM"; "unknown" when config.json names none
  std::string format;        // "none", "compressed-tensors"; "unsupported" when no reader opens it
  /// By scheme name; tensors outside linears (embeddings, norms) count under their dtype's: "bf16", "f32".
  std::map<std::string, SchemeTotals> schemes;
  std::vector<LinearKind> linears;
  uint64_t total_bytes = 0;
  LoadPlan plan;
  std::vector<std::string> refusals;  // one line each; empty: the model would load
};

/// An error when the directory has no readable config.json or its weights are not valid safetensors.
Result<Inspection> inspect_directory(const std::string& directory);

/// {architecture, format, schemes:{NAME:{linears, tensors, bytes}}, linears:[...], total_bytes, plan:{...},
/// refusals:[...]}
nlohmann::json to_json(const Inspection& inspection);

/// For people: a table, then totals, plan and refusals.
std::string to_text(const Inspection& inspection);

}  // namespace tessera::compress
