// Hidden states behind the final norm: against Hugging Face transformers (tools/golden), and whatever else is
// asked for in the same step.
#include <gtest/gtest.h>

#include <algorithm>

#include "models/golden_support.h"
#include "models/model.h"

namespace tessera::models {
namespace {

class HiddenStates : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    LoadOptions options;
    options.model_path = golden_dir(GetParam());
    options.dtype = "float32";
    options.threads = 2;
    auto model = Model::load(options);
    ASSERT_TRUE(model.has_value()) << model.error().message();
    model_ = std::move(*model);
    sequences_ = golden_sequences(options.model_path);
  }
  std::unique_ptr<Model> model_;
  std::vector<Sequence> sequences_;
};

TEST_P(HiddenStates, EqualTransformers) {
  const auto golden = golden_hidden_states(golden_dir(GetParam()));
  ASSERT_EQ(golden.size(), sequences_.size());
  for (size_t i = 0; i < golden.size(); ++i) {
    const auto states = hidden_in_chunks(*model_, sequences_[i].ids, 1000, false);
    EXPECT_LE(compare(states, golden[i]).max_relative, 1e-4) << sequences_[i].ids.size() << " tokens";
    EXPECT_EQ(states, hidden_in_chunks(*model_, sequences_[i].ids, 7, true)) << "in chunks, with logits";
  }
}

/// Three chunks in one step: the states of the first and the last, logits of the last two.
TEST_P(HiddenStates, RowsGoToWhomTheyAreDue) {
  const std::vector<int32_t>&one = sequences_[1].ids, &other = sequences_[2].ids;
  auto cache = model_->make_cache(128, 3);
  ASSERT_TRUE(cache.has_value());
  const std::vector<int32_t> pages = {0, 1, 2};
  const auto page = [&](size_t index) { return std::span(pages).subspan(index, 1); };
  using Logits = Chunk::Logits;
  using Hidden = Chunk::Hidden;
  const std::vector<Chunk> chunks = {
      {.ids = one, .pages = page(0), .hidden = Hidden::kAll},
      {.ids = other, .pages = page(1), .logits = Logits::kLast},
      {.ids = one, .pages = page(2), .logits = Logits::kAll, .hidden = Hidden::kLast}};
  const auto width = static_cast<size_t>(model_->config().hidden),
             vocab = static_cast<size_t>(model_->config().vocab);
  const size_t tokens = one.size();
  std::vector<float> hidden((tokens + 1) * width), logits((tokens + 1) * vocab);
  const auto matrix = [&](std::vector<float>& values, size_t cols) {
    return MatrixView<float>(values.data(), static_cast<int64_t>(tokens + 1), static_cast<int64_t>(cols));
  };
  ASSERT_TRUE(model_->forward(chunks, *cache, matrix(logits, vocab), matrix(hidden, width)));
  const auto states = hidden_in_chunks(*model_, one, 1000, false);
  EXPECT_TRUE(std::equal(states.begin(), states.end(), hidden.begin()));
  EXPECT_TRUE(std::equal(states.end() - static_cast<ptrdiff_t>(width), states.end(),
                         hidden.begin() + static_cast<ptrdiff_t>(tokens * width)));
  const auto all = run_alone(*model_, one), others = run_alone(*model_, other);
  EXPECT_TRUE(std::equal(others.end() - static_cast<ptrdiff_t>(vocab), others.end(), logits.begin()));
  EXPECT_TRUE(std::equal(all.begin(), all.end(), logits.begin() + static_cast<ptrdiff_t>(vocab)));
}

INSTANTIATE_TEST_SUITE_P(Models, HiddenStates, testing::Values("llama", "qwen2", "qwen3", "qwen3-moe"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace tessera::models
