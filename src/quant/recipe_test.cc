#include "quant/recipe.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tessera::quant {
namespace {

TEST(Recipe, PartsAreDisjointAndKeepFusedLinearsTogether) {
  for (const std::string_view name : recipe_names()) {
    const auto recipe = find_recipe(name);
    ASSERT_TRUE(recipe.has_value()) << name;
    const auto part = [&](const char* leaf) {
      return recipe->part_of(std::string("model.layers.3.x.") + leaf);
    };
    for (const char* leaf : {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}) {
      ASSERT_TRUE(part(leaf).has_value()) << name << " " << leaf;
      size_t parts = 0;
      for (const RecipePart& candidate : recipe->parts)
        parts += static_cast<size_t>(std::ranges::count(candidate.leaves, leaf));
      EXPECT_EQ(parts, 1U) << name << " " << leaf;
    }
    EXPECT_EQ(part("q_proj"), part("k_proj"));
    EXPECT_EQ(part("q_proj"), part("v_proj"));
    EXPECT_EQ(part("gate_proj"), part("up_proj"));
  }
  EXPECT_FALSE(find_recipe("w2a2").has_value());
}

TEST(Recipe, OnlyLinearsOfDecoderLayers) {
  const auto recipe = find_recipe("w8a8");
  EXPECT_TRUE(recipe->part_of("model.layers.0.mlp.experts.12.down_proj").has_value());
  for (const char* path : {"lm_head", "model.embed_tokens", "model.layers.0.mlp.gate", "vision.q_proj", ""})
    EXPECT_FALSE(recipe->part_of(path).has_value()) << path;
}

TEST(Recipe, SchemesHaveTheNamesOfTheirRecipes) {
  EXPECT_EQ(find_recipe("w4a16")->parts[0].scheme(64).name(), "w4a16-g64");
  EXPECT_EQ(find_recipe("w8a8")->parts[0].scheme(0).activation.rule, ActivationRule::kAbsmax);
  EXPECT_EQ(find_recipe("w4a4")->parts[0].scheme(0).activation.rule, ActivationRule::kTwoSided);
  EXPECT_EQ(find_recipe("w4a4-w8a8")->parts[1].scheme(0).name(), "w8a8");
}

TEST(Recipe, GroupSizeIsTheLargestThatDividesEveryWidth) {
  const auto grouped = find_recipe("w4a8")->parts[0], per_channel = find_recipe("w8a8")->parts[0];
  const std::vector<PartLinear> by_64 = {{"a.q_proj", 576}, {"a.down_proj", 1536}};
  EXPECT_EQ(*choose_group_size(grouped, {}, by_64), 64);
  EXPECT_EQ(*choose_group_size(grouped, 32, by_64), 32);
  EXPECT_EQ(*choose_group_size(grouped, 0, by_64), 0);
  EXPECT_EQ(*choose_group_size(per_channel, {}, by_64), 0);
  EXPECT_EQ(choose_group_size(grouped, 128, by_64).error().message(),
            "group size 128 does not divide the inputs of q_proj (576 columns)");
  const std::vector<PartLinear> odd = {{"a.q_proj", 80}, {"b.q_proj", 80}, {"a.down_proj", 172}};
  EXPECT_EQ(choose_group_size(grouped, {}, odd).error().message(),
            "group size 32 does not divide the inputs of down_proj (172 columns), q_proj (80 columns)");
}

}  // namespace
}  // namespace tessera::quant
