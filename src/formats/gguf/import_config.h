// A GGUF's metadata as config.json, and the sizes that its tensors must have. Pure functions.
#pragma once

#include <nlohmann/json.hpp>

#include "base/result.h"
#include "formats/gguf/architecture.h"
#include "formats/gguf/gguf_file.h"

namespace tessera::formats::gguf {

struct ImportedConfig {
  const Architecture* architecture = nullptr;
  int64_t layers = 0;
  Dims dims{};
  bool biases = false;    // the architecture's biases are there
  nlohmann::json config;  // config.json but for the token ids and torch_dtype
};

/// kUnsupported for what config.json cannot express (sliding windows, partial rotary embeddings, sizes that
/// differ by layer).
Result<ImportedConfig> import_config(const GgufFile& file);

/// config.json's rope_scaling, or null. From rope_freqs.weight (Llama 3's factors, which are fitted:
/// kUnsupported when no parameters reproduce them) or from the keys ARCH.rope.scaling.*.
Result<nlohmann::json> import_rope_scaling(const GgufFile& file, std::string_view architecture,
                                           double rope_theta, int64_t head_dim);

/// The decimal of a float32 with the fewest digits, as a double: 1e-05, not 9.99999974738e-06.
double shortest_decimal(double float32_value);

}  // namespace tessera::formats::gguf
