// What the tests of quantization share: options for a tiny model, and its logits.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "compress/quantize.h"
#include "formats/test_directory.h"
#include "models/model.h"

namespace tessera::compress {

/// Of tests/golden/models/NAME.
inline std::string tiny_model(const std::string& name) {
  return TESSERA_SOURCE_DIR "/tests/golden/models/" + name;
}

inline QuantizeOptions options_for(const std::string& model, const formats::TestDirectory& output,
                                   const std::string& scheme) {
  return {.model_path = tiny_model(model),
          .output = output.path(),
          .scheme = scheme,
          .group_size = {},
          .storage = {},
          .lm_head = "none",
          .ignore = {},
          .force = false,
          .threads = 2};
}

/// Empty when it worked.
inline std::string error_of(const QuantizeOptions& options) {
  const auto summary = quantize_directory(options);
  return summary.has_value() ? "" : summary.error().message();
}

inline Result<std::unique_ptr<models::Model>> load(const std::string& path,
                                                   const std::string& quantization = "") {
  models::LoadOptions options;
  options.model_path = path;
  options.quantization = quantization;
  options.threads = 2;
  return models::Model::load(options);
}

/// 24 tokens of no meaning.
inline std::vector<int32_t> some_ids() {
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < 24; ++i)
    ids.push_back((i * 37 + 11) % 512);
  return ids;
}

/// Logits [ids, vocab] of one sequence.
inline std::vector<float> logits_of(models::Model& model, const std::vector<int32_t>& ids = some_ids()) {
  std::vector<int32_t> pages((ids.size() + 7) / 8);
  std::iota(pages.begin(), pages.end(), 0);
  auto cache = model.make_cache(8, static_cast<int32_t>(pages.size()));
  EXPECT_TRUE(cache.has_value());
  const std::vector<models::Chunk> chunks{
      {.ids = ids, .pages = pages, .logits = models::Chunk::Logits::kAll}};
  const auto rows = static_cast<int64_t>(ids.size()), vocab = int64_t{model.config().vocab};
  std::vector<float> logits(static_cast<size_t>(rows * vocab));
  const auto status = model.forward(chunks, *cache, {logits.data(), rows, vocab});
  EXPECT_TRUE(status.has_value()) << (status ? "" : status.error().message());
  return logits;
}

}  // namespace tessera::compress
