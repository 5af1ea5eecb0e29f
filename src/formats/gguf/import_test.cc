// Import of tiny models of every architecture against tests/golden/gguf, and of files that cannot be
// imported.
#include "formats/gguf/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "formats/gguf/gguf_builder.h"
#include "formats/gguf/import_config.h"
#include "formats/gguf/import_tensors.h"
#include "formats/gguf/import_tokenizer.h"
#include "formats/hf/model_dir.h"
#include "formats/tensor_source.h"
#include "formats/test_directory.h"
#include "tensor/float_convert.h"

namespace tessera::formats::gguf {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// --- goldens
// ---------------------------------------------------------------------------------------------------------

class ImportGolden : public testing::TestWithParam<std::string> {
 protected:
  std::string golden() const { return std::string(TESSERA_SOURCE_DIR) + "/tests/golden/gguf/" + GetParam(); }

  // The tensors that must come out, float32.
  std::unique_ptr<TensorSource> expected_tensors() {
    std::filesystem::copy_file(golden() + ".safetensors", expected_.path() + "/model.safetensors");
    return *open_safetensors_dir(expected_.path());
  }

  TestDirectory out_, expected_;
};

TEST_P(ImportGolden, Float32TensorsAreExact) {
  const auto summary = import_gguf(golden() + ".gguf", out_.path(), {.dtype = DType::kF32});
  ASSERT_TRUE(summary.has_value()) << summary.error().message();
  const auto want = expected_tensors();
  const auto got = *open_safetensors_dir(out_.path());
  EXPECT_EQ(got->tensors().size(), want->tensors().size());
  EXPECT_EQ(summary->tensors, want->tensors().size());
  for (const TensorInfo& info : want->tensors()) {
    const TensorInfo* ours = got->find(info.name);
    ASSERT_NE(ours, nullptr) << info.name;
    EXPECT_EQ(ours->dtype, DType::kF32) << info.name;
    ASSERT_EQ(ours->shape, info.shape) << info.name;
    const Tensor a = *want->read(info.name);
    const Tensor b = *got->read(info.name);
    EXPECT_EQ(std::memcmp(a.data(), b.data(), a.bytes()), 0) << info.name;
  }
}

TEST_P(ImportGolden, BFloat16TensorsAreRoundedAndSharded) {
  const auto summary = import_gguf(golden() + ".gguf", out_.path(), {.shard_bytes = 40'000});
  ASSERT_TRUE(summary.has_value()) << summary.error().message();
  EXPECT_TRUE(std::filesystem::exists(out_.path() + "/model.safetensors.index.json"));
  const auto want = expected_tensors();
  const auto got = *open_safetensors_dir(out_.path());
  EXPECT_EQ(got->tensors().size(), want->tensors().size());
  for (const TensorInfo& info : want->tensors()) {
    const Tensor a = *want->read(info.name);
    const Tensor b = *got->read(info.name);
    ASSERT_EQ(b.dtype(), DType::kBF16) << info.name;
    size_t different = 0;
    for (size_t i = 0; i < a.as<float>().size(); ++i) {
      different += f32_to_bf16(a.as<float>()[i]) == b.as<uint16_t>()[i] ? 0 : 1;
    }
    EXPECT_EQ(different, 0U) << info.name;
  }
}

TEST_P(ImportGolden, ConfigHasEveryField) {
  ASSERT_TRUE(import_gguf(golden() + ".gguf", out_.path()).has_value());
  const auto model = *open_model_dir(out_.path());
  const std::string text = *read_text_file(golden() + ".json", 1 << 20);
  const json expected = json::parse(text);
  for (const auto& [key, value] : expected.items())
    EXPECT_EQ(model.config.value(key, json("absent")), value) << key;
  EXPECT_EQ(model.config["torch_dtype"], "bfloat16");
  EXPECT_EQ(model.generation_config["eos_token_id"], model.config["eos_token_id"]);
}

TEST_P(ImportGolden, TokenizerHasEveryToken) {
  ASSERT_TRUE(import_gguf(golden() + ".gguf", out_.path()).has_value());
  const auto tokenizer = *read_json_object(out_.path(), "tokenizer.json");
  const auto file = *GgufFile::open(golden() + ".gguf");
  const auto& tokens = **file.strings("tokenizer.ggml.tokens");
  const auto& types = **file.integers("tokenizer.ggml.token_type");
  size_t added = 0;
  for (size_t id = 0; id < tokens.size(); ++id) {
    if (types[id] == 5) {
      EXPECT_FALSE(tokenizer["model"]["vocab"].contains(tokens[id]));
      continue;
    }
    EXPECT_EQ(tokenizer["model"]["vocab"][tokens[id]], id);
    if (types[id] == 1) continue;
    ASSERT_LT(added, tokenizer["added_tokens"].size());
    const json& token = tokenizer["added_tokens"][added++];
    EXPECT_EQ(token["id"], id);
    EXPECT_EQ(token["content"], tokens[id]);
    EXPECT_EQ(token["special"], types[id] == 3);
  }
  EXPECT_EQ(added, tokenizer["added_tokens"].size());
  EXPECT_EQ(tokenizer["model"]["merges"], json::parse(R"([["h","e"],["he","l"]])"));
}

INSTANTIATE_TEST_SUITE_P(Architectures, ImportGolden, testing::Values("llama", "qwen2", "qwen3", "qwen3moe"),
                         [](const auto& name) { return name.param; });

TEST(Import, OutputDirectory) {
  const std::string golden = std::string(TESSERA_SOURCE_DIR) + "/tests/golden/gguf/qwen2.gguf";
  TestDirectory dir;
  dir.write("file", "x");
  EXPECT_THAT(import_gguf(golden, dir.path()).error().message(),
              HasSubstr("directory is not empty; --force"));
  EXPECT_THAT(import_gguf(golden, dir.path() + "/file").error().message(), HasSubstr("is not a directory"));
  EXPECT_EQ(import_gguf(dir.path() + "/absent.gguf", dir.path() + "/new").error().code(),
            ErrorCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(dir.path() + "/new"));
  dir.write("model-00001-of-00002.safetensors", "stale");
  dir.write("model.safetensors.index.json", "stale");
  EXPECT_TRUE(import_gguf(golden, dir.path(), {.force = true}).has_value());
  EXPECT_EQ(dir.files(),
            (std::vector<std::string>{"config.json", "file", "generation_config.json", "model.safetensors",
                                      "tokenizer.json", "tokenizer_config.json"}));
  EXPECT_TRUE(import_gguf(golden, dir.path() + "/a/b/c").has_value());
}

// --- what cannot be imported
// -------------------------------------------------------------------------------------------

struct Options {
  std::string architecture = "llama", model = "gpt2", pre = "smollm";
  std::vector<std::string> tokens = {"a", "b", "ab", "<s>"};
  std::vector<int32_t> types = {1, 1, 1, 3};
  std::vector<std::string> merges = {"a b"};
  uint32_t heads = 2, kv_heads = 1, rotary = 2;
  std::vector<std::string> without = {};                       // tensors left out
  std::vector<std::pair<std::string, uint64_t>> vectors = {};  // further tensors of ones
};

// A llama of one layer: hidden 4, two heads of 2, one kv head, ffn 3, vocabulary 4.
GgufBuilder tiny(const Options& o = {}) {
  GgufBuilder b;
  b.string("general.architecture", o.architecture)
      .u32("llama.block_count", 1)
      .u32("llama.context_length", 16);
  b.u32("llama.embedding_length", 4)
      .u32("llama.feed_forward_length", 3)
      .u32("llama.attention.head_count", o.heads);
  b.u32("llama.attention.head_count_kv", o.kv_heads).f32("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  b.u32("llama.rope.dimension_count", o.rotary).string("tokenizer.ggml.model", o.model);
  b.string("tokenizer.ggml.pre", o.pre).strings("tokenizer.ggml.tokens", o.tokens);
  b.ints("tokenizer.ggml.token_type", o.types).strings("tokenizer.ggml.merges", o.merges);
  const std::vector<std::pair<std::string, std::vector<uint64_t>>> tensors{
      {"token_embd.weight", {4, 4}},        {"output_norm.weight", {4}},
      {"blk.0.attn_norm.weight", {4}},      {"blk.0.attn_q.weight", {4, 4}},
      {"blk.0.attn_k.weight", {4, 2}},      {"blk.0.attn_v.weight", {4, 2}},
      {"blk.0.attn_output.weight", {4, 4}}, {"blk.0.ffn_norm.weight", {4}},
      {"blk.0.ffn_gate.weight", {4, 3}},    {"blk.0.ffn_up.weight", {4, 3}},
      {"blk.0.ffn_down.weight", {3, 4}}};
  for (const auto& [name, dims] : tensors) {
    if (std::ranges::find(o.without, name) == o.without.end()) b.ones(name, dims);
  }
  for (const auto& [name, size] : o.vectors)
    b.ones(name, {size});
  return b;
}

// Everything but the writing; "" when the file can be imported.
std::string check(const std::string& bytes) {
  const auto run = [&bytes]() -> Status {
    const GgufFile file = TRY(GgufFile::parse(memory_source(bytes)));
    const ImportedConfig config = TRY(import_config(file));
    TRY(import_tokenizer(file, config.dims[static_cast<size_t>(Dim::kVocab)]));
    TRY(plan_tensors(file, config, DType::kBF16));
    return {};
  };
  const auto status = run();
  return status.has_value() ? "" : status.error().message();
}
std::string check(const GgufBuilder& builder) {
  return check(builder.bytes());
}
std::string check(const Options& options) {
  return check(tiny(options));
}

TEST(ImportRefuses, NothingInTheTinyModel) {
  EXPECT_EQ(check(Options{}), "");
}

TEST(ImportRefuses, ArchitecturesAndTokenizersByName) {
  EXPECT_THAT(check(Options{.architecture = "mamba"}),
              HasSubstr("general.architecture=\"mamba\", expected one of llama, qwen2, qwen3, qwen3moe"));
  EXPECT_THAT(check(Options{.model = "llama"}),
              HasSubstr("tokenizer.ggml.model=\"llama\", expected \"gpt2\""));
  EXPECT_THAT(check(Options{.pre = "chameleon"}),
              HasSubstr("pre-tokenizer \"chameleon\", expected one of smollm"));
  EXPECT_THAT(check(GgufBuilder()), HasSubstr("has no general.architecture"));
}

TEST(ImportRefuses, TokensThatContradictEachOther) {
  EXPECT_THAT(check(Options{.types = {1, 1, 1}}), HasSubstr("4 tokens, but 3 token types"));
  EXPECT_THAT(check(Options{.tokens = {"a", "b", "ab", "a"}}),
              HasSubstr("the tokens 0 and 3 are both \"a\""));
  EXPECT_THAT(check(Options{.tokens = {"a", "b", "ab", "c", "d"}, .types = {1, 1, 1, 1, 1}}),
              HasSubstr("5 tokens, expected 1 to 4"));
  EXPECT_THAT(check(Options{.merges = {"ab"}}), HasSubstr("merges: \"ab\": expected two tokens"));
  EXPECT_THAT(check(Options{.merges = {"a "}}), HasSubstr("expected two tokens"));
  EXPECT_THAT(check(Options{.merges = {""}}), HasSubstr("expected two tokens"));
  EXPECT_THAT(check(Options{.merges = {"b a"}}), HasSubstr("expected two tokens that together are a token"));
  EXPECT_THAT(check(tiny().u32("tokenizer.ggml.eos_token_id", 4)),
              HasSubstr("eos_token_id=4, expected 0 to 3"));
  EXPECT_THAT(check(tiny().boolean("tokenizer.ggml.add_bos_token", true)),
              HasSubstr("adds a bos token, but names none"));
  EXPECT_THAT(check(tiny().u32("tokenizer.chat_template", 4)),
              HasSubstr("tokenizer.chat_template is not a string"));
}

TEST(ImportRefuses, TensorsThatDoNotFit) {
  EXPECT_THAT(check(Options{.without = {"blk.0.attn_k.weight", "blk.0.ffn_up.weight"}}),
              HasSubstr("blk.0.attn_k.weight is missing; blk.0.ffn_up.weight is missing"));
  EXPECT_THAT(check(Options{.without = {"token_embd.weight"}}), HasSubstr("has no token_embd.weight"));
  EXPECT_THAT(check(Options{.vectors = {{"blk.0.extra.weight", 4}}}),
              HasSubstr("blk.0.extra.weight is not a tensor of llama"));
  EXPECT_THAT(check(Options{.without = {"output_norm.weight"}, .vectors = {{"output_norm.weight", 5}}}),
              HasSubstr("output_norm.weight has the shape [5], expected [4]"));
  EXPECT_THAT(check(Options{.vectors = {{"blk.0.attn_q.bias", 4}}}),
              HasSubstr("blk.0.attn_k.bias is missing"));
  EXPECT_THAT(check(tiny({.without = {"blk.0.attn_norm.weight"}}).ones("blk.0.attn_norm.weight", {2, 2})),
              HasSubstr("has the shape [2, 2], expected [4]"));
}

TEST(ImportRefuses, SizesThatContradictEachOther) {
  EXPECT_THAT(check(Options{.kv_heads = 3}),
              HasSubstr("head_count_kv=3 does not divide llama.attention.head_count=2"));
  EXPECT_THAT(check(Options{.heads = 3, .kv_heads = 3}),
              HasSubstr("head_count=3 does not divide llama.embedding_length=4"));
  EXPECT_THAT(check(Options{.heads = 0}), HasSubstr("head_count=0, expected 1 to 4096"));
  EXPECT_THAT(check(Options{.rotary = 1}), HasSubstr("1 rotary dimensions"));
  EXPECT_THAT(check(tiny().u32("llama.vocab_size", 5)), HasSubstr("llama.vocab_size is not the 4 rows"));
  EXPECT_THAT(check(tiny().f32("llama.rope.freq_base", std::nanf(""))),
              HasSubstr("expected a number above 0"));
  EXPECT_THAT(check(tiny().u32("llama.attention.sliding_window", 5)), HasSubstr("sliding-window attention"));
  EXPECT_THAT(check(tiny().u32("llama.expert_count", 8)), HasSubstr("mixture of experts is not supported"));
  EXPECT_THAT(check(tiny().u32("split.count", 2)), HasSubstr("one of several split files"));
}

TEST(ImportRefuses, EveryTruncation) {
  const std::string bytes = tiny().bytes();
  for (size_t length = 0; length < bytes.size() - 16; ++length)
    EXPECT_NE(check(bytes.substr(0, length)), "") << length;
}

TEST(ImportRefuses, NoBitFlipCrashes) {
  const std::string bytes = tiny().bytes();
  const size_t header = bytes.size() - 11 * 64;  // the data may hold any bits
  for (size_t bit = 0; bit < header * 8; ++bit) {
    std::string mutated = bytes;
    mutated[bit / 8] = static_cast<char>(mutated[bit / 8] ^ (1 << (bit % 8)));
    check(mutated);
  }
}

// --- rope
// ----------------------------------------------------------------------------------------------------------------

Result<json> scaling_of(const GgufBuilder& builder, int64_t head_dim = 64, double theta = 500000) {
  const std::string bytes = builder.bytes();
  const GgufFile file = TRY(GgufFile::parse(memory_source(bytes)));
  return import_rope_scaling(file, "llama", theta, head_dim);
}

// The formula of transformers' _compute_llama3_parameters, as a divisor of each frequency.
std::vector<float> llama3_divisors(double theta, int head_dim, double factor, double low, double high,
                                   double context) {
  std::vector<float> divisors;
  for (int i = 0; i < head_dim / 2; ++i) {
    const double wave = 2 * M_PI * std::pow(theta, 2.0 * i / head_dim);
    const double smooth = (context / wave - low) / (high - low);
    const double blended = 1 / ((1 - smooth) / factor + smooth);
    divisors.push_back(static_cast<float>(wave < context / high  ? 1
                                          : wave > context / low ? factor
                                                                 : blended));
  }
  return divisors;
}

TEST(ImportRope, NoneWithoutFactors) {
  EXPECT_EQ(*scaling_of(GgufBuilder()), nullptr);
  EXPECT_EQ(*scaling_of(GgufBuilder().string("llama.rope.scaling.type", "none")), nullptr);
  EXPECT_EQ(*scaling_of(GgufBuilder().ones("rope_freqs.weight", {32})), nullptr);
}

TEST(ImportRope, FindsLlama3Parameters) {
  for (const double factor : {8.0, 32.0, 2.5}) {
    for (const double context : {8192.0, 4096.0, 512.0}) {
      const GgufBuilder builder =
          GgufBuilder().tensor("rope_freqs.weight", {32}, llama3_divisors(500000, 64, factor, 1, 4, context));
      const auto scaling = scaling_of(builder);
      ASSERT_TRUE(scaling.has_value()) << scaling.error().message();
      EXPECT_EQ(*scaling, (json{{"rope_type", "llama3"},
                                {"factor", factor},
                                {"low_freq_factor", 1.0},
                                {"high_freq_factor", 4.0},
                                {"original_max_position_embeddings", context}}));
    }
  }
}

TEST(ImportRope, RefusesFactorsThatNoParametersGive) {
  auto divisors = llama3_divisors(500000, 64, 8, 1, 4, 8192);
  divisors[10] = 3;
  EXPECT_THAT(scaling_of(GgufBuilder().tensor("rope_freqs.weight", {32}, divisors)).error().message(),
              HasSubstr("no llama3 rope_scaling gives these factors"));
  divisors.assign(32, std::nanf(""));
  EXPECT_THAT(scaling_of(GgufBuilder().tensor("rope_freqs.weight", {32}, divisors)).error().message(),
              HasSubstr("no llama3 rope_scaling"));
  EXPECT_THAT(scaling_of(GgufBuilder().ones("rope_freqs.weight", {31})).error().message(),
              HasSubstr("expected 32"));
}

TEST(ImportRope, ReadsLinearAndYarn) {
  GgufBuilder linear;
  linear.string("llama.rope.scaling.type", "linear").f32("llama.rope.scaling.factor", 4);
  EXPECT_EQ(*scaling_of(linear), (json{{"rope_type", "linear"}, {"factor", 4.0}}));
  GgufBuilder yarn;
  yarn.string("llama.rope.scaling.type", "yarn").f32("llama.rope.scaling.factor", 4);
  yarn.u32("llama.rope.scaling.original_context_length", 32768);
  EXPECT_EQ((*scaling_of(yarn))["original_max_position_embeddings"], 32768);
  EXPECT_THAT(scaling_of(GgufBuilder().string("llama.rope.scaling.type", "longrope")).error().message(),
              HasSubstr("type=\"longrope\", expected none, linear or yarn"));
  GgufBuilder zero;
  zero.string("llama.rope.scaling.type", "linear").f32("llama.rope.scaling.factor", 0);
  EXPECT_THAT(scaling_of(zero).error().message(), HasSubstr("factor=0, expected 1 to"));
}

TEST(ImportConfig, NumbersKeepTheirShortestDecimal) {
  EXPECT_EQ(shortest_decimal(1e-5F), 1e-5);
  EXPECT_EQ(shortest_decimal(1e-6F), 1e-6);
  EXPECT_EQ(shortest_decimal(500000.0F), 500000.0);
}

}  // namespace
}  // namespace tessera::formats::gguf
