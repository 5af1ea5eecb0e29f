// What loading did, for the start-up log, `tessera inspect` and /get_server_info.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace tessera::models {

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
  int64_t bytes_per_token = 0;               // weights read to decode one token alone
  int64_t bytes_per_expert = 0;              // of one expert in every layer that has experts
  int threads = 0;
  double seconds = 0;
};

}  // namespace tessera::models
