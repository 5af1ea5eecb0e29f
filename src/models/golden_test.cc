// Logits of tiny random models of every architecture against Hugging Face transformers (tools/golden), alone,
// in one batch, and chunk by chunk.
#include <gtest/gtest.h>

#include <algorithm>

#include "models/golden_support.h"
#include "models/model.h"

namespace tessera::models {
namespace {

class Golden : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Model> load(const std::string& dtype, int threads = 2) const {
    LoadOptions options;
    options.model_path = golden_dir(GetParam());
    options.dtype = dtype;
    options.threads = threads;
    auto model = Model::load(options);
    EXPECT_TRUE(model.has_value()) << (model ? "" : model.error().message());
    return model ? std::move(*model) : nullptr;
  }
};

TEST_P(Golden, Float32LogitsEqualTransformers) {
  const auto model = load("float32");
  ASSERT_NE(model, nullptr);
  for (const Sequence& golden : golden_sequences(golden_dir(GetParam()))) {
    const auto logits = run_alone(*model, golden.ids);
    const Difference difference = compare(logits, golden.logits);
    EXPECT_LE(difference.max_relative, 1e-4) << golden.ids.size() << " tokens";
  }
}

TEST_P(Golden, Bfloat16IsClose) {
  const auto model = load("bfloat16");
  ASSERT_NE(model, nullptr);
  double kl = 0, rows = 0, agreeing = 0;
  for (const Sequence& golden : golden_sequences(golden_dir(GetParam()))) {
    const auto logits = run_alone(*model, golden.ids);
    const Closeness closeness = compare_rows(logits, golden.logits, golden.ids.size());
    kl += closeness.kl_sum;
    agreeing += closeness.top1_agreeing;
    rows += static_cast<double>(golden.ids.size());
  }
  EXPECT_LE(kl / rows, 1e-3);
  EXPECT_GE(agreeing / rows, 0.99);
}

TEST_P(Golden, ARowDoesNotDependOnItsNeighbours) {
  for (const std::string dtype : {"float32", "bfloat16"}) {
    const auto model = load(dtype);
    ASSERT_NE(model, nullptr);
    const auto goldens = golden_sequences(golden_dir(GetParam()));
    const auto together = run_together(*model, goldens);
    const auto one_thread = load(dtype, 1);
    for (size_t i = 0; i < goldens.size(); ++i) {
      const auto alone = run_alone(*model, goldens[i].ids);
      EXPECT_EQ(alone, together[i]) << dtype << ": in one batch, sequence " << i;
      EXPECT_EQ(alone, run_in_chunks(*model, goldens[i].ids, 7))
          << dtype << ": in chunks of 7, sequence " << i;
      EXPECT_EQ(alone, run_alone(*one_thread, goldens[i].ids)) << dtype << ": one thread, sequence " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Golden,
                         testing::Values("llama", "llama-rope3", "llama-sharded", "qwen2", "qwen2-window",
                                         "qwen3", "qwen3-moe", "qwen3-moe-nonorm"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace tessera::models
