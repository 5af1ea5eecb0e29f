// What loading did, for the start-up log, `tessera inspect` and /get_server_info.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace tessera::models {

/// What loading may take beyond the packed weights and the checkpoint's largest tensor.
inline constexpr int64_t kLoadMarginBytes = int64_t{256} << 20;

struct SchemeUse {
  int64_t linears = 0;
  int64_t packed_bytes = 0;
};

struct LoadReport {
  std::string architecture;                  // "LlamaForCausalLM"
  std::string format;                        // "none", "compressed-tensors"
  std::string scheme;                        // of most linears' bytes, or "w4a4+w8a8" when mixed
  std::map<std::string, SchemeUse> schemes;  // decoder linears, by scheme name
  int64_t packed_bytes = 0;                  // all weights in memory
  int64_t planned_peak_bytes = 0;            // what loading was to take at most, by dtypes and shapes
  int64_t peak_bytes = 0;                    // resident at most until the weights were there; 0: unknown
  int64_t bytes_per_token = 0;               // weights read to decode one token alone
  int64_t bytes_per_expert = 0;              // of one expert in every layer that has experts
  int threads = 0;
  double seconds = 0;
};

}  // namespace tessera::models
