// Tiny models that msmodelslim saved, against transformers with every quantized linear computed as the NPU
// operators define it (tools/golden/modelslim_operators.py).
#include <gtest/gtest.h>

#include <algorithm>

#include "models/golden_support.h"

namespace tessera::models {
namespace {

std::string directory_of(const std::string& name) {
  return std::string(TESSERA_SOURCE_DIR) + "/tests/golden/modelslim/" + name;
}

struct Case {
  const char* name;
  const char* schemes;  // as the load report lists them
};

class ModelSlim : public testing::TestWithParam<Case> {
 protected:
  static std::unique_ptr<Model> load(const char* dtype) {
    LoadOptions options;
    options.model_path = directory_of(GetParam().name);
    options.dtype = dtype;
    options.quantization = "modelslim";
    auto model = Model::load(options);
    EXPECT_TRUE(model.has_value()) << (model ? "" : model.error().message());
    return model ? *std::move(model) : nullptr;
  }
};

// The codes are those of the operators but where float32 rounds to the other side of a half: then one code
// moves, and 4-bit codes move far.
TEST_P(ModelSlim, LogitsAreTheOperators) {
  const auto model = load("float32");
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->report().scheme, GetParam().schemes);
  for (const Sequence& golden : golden_sequences(directory_of(GetParam().name))) {
    const auto logits = run_alone(*model, golden.ids);
    const Closeness closeness = compare_rows(logits, golden.logits, golden.ids.size());
    EXPECT_LE(closeness.kl_sum / static_cast<double>(golden.ids.size()), 2e-3)
        << golden.ids.size() << " tokens";
    EXPECT_GE(closeness.top1_agreeing, 0.9 * static_cast<double>(golden.ids.size()));
  }
}

// C8 is what `auto` means where the description has it, and a cache of bf16 does not know it.
TEST(ModelSlimCache, CodesOfChannelsAreUsedAndCanBeLeftOut) {
  const std::string directory = directory_of("qwen3-c8");
  const auto kl_with = [&](const char* cache) {
    LoadOptions options;
    options.model_path = directory;
    options.dtype = "float32";
    options.kv_cache_dtype = cache;
    const auto model = Model::load(options);
    EXPECT_TRUE(model.has_value()) << (model ? "" : model.error().message());
    double kl = 0;
    for (const Sequence& golden : golden_sequences(directory))
      kl += compare_rows(run_alone(**model, golden.ids), golden.logits, golden.ids.size()).kl_sum;
    return kl;
  };
  const double automatic = kl_with("auto");
  EXPECT_EQ(automatic, kl_with("int8"));
  EXPECT_GT(kl_with("bf16"), 4 * automatic);
}

TEST_P(ModelSlim, ARowStaysItself) {
  const auto model = load("auto");
  ASSERT_NE(model, nullptr);
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < 40; ++i)
    ids.push_back((i * 37 + 11) % 512);
  const auto alone = run_alone(*model, ids);
  EXPECT_EQ(alone, run_in_chunks(*model, ids, 3));
  EXPECT_EQ(alone, run_together(*model, {{{5, 6, 7}, {}}, {ids, {}}})[1]);
}

INSTANTIATE_TEST_SUITE_P(Models, ModelSlim,
                         testing::Values(Case{"qwen3-w4a4-w8a8", "w4a4+w8a8"}, Case{"qwen3-c8", "w8a8"},
                                         Case{"qwen3-static", "w8a8+w8a8-static+w8a8-static-transformed"},
                                         Case{"qwen3-flatquant", "w4a4-transformed+w8a8+w8a8-transformed"},
                                         Case{"qwen3-moe-split", "bf16+w4a4+w4a8+w8a16+w8a8"},
                                         Case{"qwen3-moe-v0",
                                              "bf16+w4a16+w4a16-g16+w4a4+w4a8+w8a16-asym+w8a8+w8a8-static"}),
                         [](const auto& tested) {
                           std::string name = tested.param.name;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace tessera::models
