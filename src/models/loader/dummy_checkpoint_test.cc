#include "models/loader/dummy_checkpoint.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "models/model.h"
#include "tensor/float_convert.h"

namespace tessera::models {
namespace {

formats::TensorInfo bf16_info(const std::string& name, int64_t out, int64_t in) {
  return {.name = name,
          .dtype = DType::kBF16,
          .shape = Shape{out, in},
          .bytes = static_cast<uint64_t>(out * in * 2)};
}

double deviation(const std::vector<double>& values) {
  double sum = 0, squares = 0;
  for (const double value : values) {
    sum += value;
    squares += value * value;
  }
  const auto count = static_cast<double>(values.size());
  return std::sqrt(squares / count - sum / count * sum / count);
}

TEST(DummyScheme, NamesAreParsed) {
  const auto mixed = parse_dummy_scheme("w4a4-w8a8", "w8a8");
  ASSERT_TRUE(mixed) << mixed.error().message();
  EXPECT_EQ(mixed->linears.name(), "w4a4");
  ASSERT_TRUE(mixed->narrow);
  EXPECT_EQ(mixed->narrow->name(), "w8a8");
  EXPECT_EQ(mixed->head.name(), "w8a8");
  for (const char* name : {"bf16", "w8a8", "w4a8-g128", "w4a16-g32-asym"}) {
    const auto parsed = parse_dummy_scheme(name);
    ASSERT_TRUE(parsed) << name;
    EXPECT_EQ(parsed->linears.name(), name);
    EXPECT_EQ(parsed->head.name(), "bf16");
  }
  EXPECT_EQ(parse_dummy_scheme("w4a8_int8")->linears.name(), "w4a8");
  for (const char* name : {"w5a8", "w4", "w4a4-g", "w4a4-gx", "w4a4-g0", "int4", "w4a4x", "w4a4-w9a9", ""})
    EXPECT_FALSE(parse_dummy_scheme(name)) << name;
}

TEST(DummyReader, WeightsHaveOneDeviationInEveryScheme) {
  const DummySource source({bf16_info("layer.q_proj.weight", 64, 512)});
  for (const char* name : {"w8a8", "w4a4", "w4a8-g128", "w4a16-g32-asym"}) {
    const DummyReader reader(source, *parse_dummy_scheme(name));
    const auto data = reader.read("layer.q_proj", 64, 512);
    ASSERT_TRUE(data) << data.error().message();
    EXPECT_EQ(data->scheme.name(), name);
    const auto codes = data->values.as<int8_t>();
    const auto groups = data->groups();
    ASSERT_EQ(data->scales.size(), static_cast<size_t>(64 * groups));
    ASSERT_EQ(data->zero_points.empty(), data->scheme.weight.symmetric);
    std::vector<double> weights;
    for (int64_t row = 0; row < 64; ++row) {
      for (int64_t k = 0; k < 512; ++k) {
        const auto at = static_cast<size_t>(row * groups + k * groups / 512);
        weights.push_back(codes[static_cast<size_t>(row * 512 + k)] * double{data->scales[at]});
      }
    }
    EXPECT_NEAR(deviation(weights), 0.02, 0.002) << name;
  }
}

TEST(DummyReader, IsDeterministicAndRowsDiffer) {
  const DummySource source({bf16_info("a.weight", 8, 256), bf16_info("b.weight", 8, 256)});
  const auto first = source.TensorSource::read("a.weight"), again = source.TensorSource::read("a.weight"),
             other = source.TensorSource::read("b.weight");
  ASSERT_TRUE(first && again && other);
  const auto a = first->as<uint16_t>(), a2 = again->as<uint16_t>(), b = other->as<uint16_t>();
  EXPECT_TRUE(std::ranges::equal(a, a2));
  EXPECT_FALSE(std::ranges::equal(a, b));
  EXPECT_FALSE(std::ranges::equal(a.first(256), a.subspan(256, 256)));
}

TEST(DummyReader, RoutersAndEmbeddingsStayFloat) {
  const DummySource source({bf16_info("mlp.gate.weight", 8, 32)});
  const DummyReader reader(source, *parse_dummy_scheme("w4a8", "w8a8"));
  using formats::ModuleKind;
  EXPECT_EQ(reader.scheme("mlp.gate", ModuleKind::kLinear)->name(), "bf16");
  EXPECT_EQ(reader.scheme("model.embed_tokens", ModuleKind::kEmbedding)->name(), "bf16");
  EXPECT_EQ(reader.scheme("mlp.gate_proj", ModuleKind::kLinear)->name(), "w4a8");
  EXPECT_EQ(reader.scheme("lm_head", ModuleKind::kLinear)->name(), "w8a8");
}

nlohmann::json tiny_config() {
  return {{"architectures", {"Qwen3MoeForCausalLM"}},
          {"vocab_size", 64},
          {"hidden_size", 64},
          {"intermediate_size", 128},
          {"moe_intermediate_size", 32},
          {"num_experts", 4},
          {"num_experts_per_tok", 2},
          {"num_hidden_layers", 2},
          {"num_attention_heads", 4},
          {"num_key_value_heads", 2},
          {"head_dim", 16},
          {"max_position_embeddings", 64},
          {"rms_norm_eps", 1e-6}};
}

TEST(DummyModel, RunsAndReportsItsBytes) {
  for (const char* scheme : {"bf16", "w8a8", "w4a4-w8a8"}) {
    const auto model = Model::dummy(tiny_config(), {.scheme = scheme, .head = "w8a8", .threads = 2});
    ASSERT_TRUE(model) << model.error().message();
    auto cache = (*model)->make_cache(16, 4);
    ASSERT_TRUE(cache);
    const std::vector<int32_t> ids{1, 2, 3}, pages{0, 1, 2, 3};
    std::vector<float> logits(64);
    const Chunk chunk{.ids = ids, .pages = pages, .logits = Chunk::Logits::kLast};
    const auto done = (*model)->forward({&chunk, 1}, *cache, {logits.data(), 1, 64});
    ASSERT_TRUE(done) << done.error().message();
    for (const float logit : logits)
      EXPECT_TRUE(std::isfinite(logit)) << scheme;
    EXPECT_GT((*model)->report().bytes_per_expert, 0);
    EXPECT_GT((*model)->report().bytes_per_token, 2 * (*model)->report().bytes_per_expert);
  }
}

TEST(DummyModel, BadOptionsAreErrors) {
  EXPECT_FALSE(Model::dummy(tiny_config(), {.scheme = "w3a3"}));
  EXPECT_FALSE(Model::dummy(tiny_config(), {.scheme = "w4a8-g48"}));
  EXPECT_FALSE(Model::dummy({{"architectures", {"NoSuchModel"}}}, {}));
}

}  // namespace
}  // namespace tessera::models
