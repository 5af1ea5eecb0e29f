// Tiny models that llmcompressor rotated, quantized and saved, against its own model in float32: fake
// quantization of inputs, hooks for transforms (tools/golden/make_llmcompressor_models.py).
#include <gtest/gtest.h>

#include <algorithm>

#include "models/golden_support.h"

namespace tessera::models {
namespace {

struct Case {
  const char* name;
  const char* schemes;  // as the load report lists them
};

class LlmCompressor : public testing::TestWithParam<Case> {
 protected:
  const std::string directory_ =
      std::string(TESSERA_SOURCE_DIR) + "/tests/golden/llmcompressor/" + GetParam().name;

  std::unique_ptr<Model> load(const char* dtype, const char* cache) const {
    LoadOptions options;
    options.model_path = directory_;
    options.dtype = dtype;
    options.kv_cache_dtype = cache;
    auto model = Model::load(options);
    EXPECT_TRUE(model.has_value()) << (model ? "" : model.error().message());
    return model ? *std::move(model) : nullptr;
  }
};

// As with ModelSlim's: where float32 rounds to the other side of a half, one code moves.
TEST_P(LlmCompressor, LogitsAreTheLibrarys) {
  const auto model = load("float32", "auto");
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->report().format, "compressed-tensors");
  EXPECT_EQ(model->report().scheme, GetParam().schemes);
  for (const Sequence& golden : golden_sequences(directory_)) {
    const auto rows = static_cast<double>(golden.ids.size());
    const auto closeness = compare_rows(run_alone(*model, golden.ids), golden.logits, golden.ids.size());
    EXPECT_LE(closeness.kl_sum / rows, 2e-3) << rows << " tokens";
    EXPECT_GE(closeness.top1_agreeing, 0.9 * rows);
    RecordProperty("mean_kl_" + std::to_string(golden.ids.size()), std::to_string(closeness.kl_sum / rows));
  }
}

TEST_P(LlmCompressor, ARowStaysItself) {
  for (const char* cache : {"auto", "int8"}) {
    const auto model = load("auto", cache);
    ASSERT_NE(model, nullptr);
    std::vector<int32_t> ids;
    for (int32_t i = 0; i < 40; ++i)
      ids.push_back((i * 37 + 11) % 512);
    const auto alone = run_alone(*model, ids);
    EXPECT_EQ(alone, run_in_chunks(*model, ids, 3));
    EXPECT_EQ(alone, run_together(*model, {{{5, 6, 7}, {}}, {ids, {}}})[1]);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Models, LlmCompressor,
    testing::Values(Case{"qwen3-w8a8", "w8a8"},
                    Case{"llama-w4a16-spinquant", "bf16+w4a16-g32-asym+w4a16-g32-asym-transformed"},
                    Case{"qwen3-w4a4-quip", "w4a4-g32-transformed"},
                    Case{"qwen3-moe-mixed", "bf16+w4a4+w4a8-g32+w8a8"},
                    Case{"llama-w4a8-matrix", "bf16+w4a8-transformed"}, Case{"llama-w8a16-cache", "w8a16"}),
    [](const auto& tested) {
      std::string name = tested.param.name;
      std::ranges::replace(name, '-', '_');
      return name;
    });

}  // namespace
}  // namespace tessera::models
