// The commands on tiny models and single cases: that they measure, and the shape of their JSON, which tools
// read.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "bench/kernel_run.h"
#include "bench/kernels.h"
#include "bench/latency.h"
#include "bench/model_work.h"
#include "bench/peak_meter.h"
#include "bench/sample.h"
#include "bench/shapes.h"
#include "models/architecture.h"

namespace tessera::bench {
namespace {

const std::string kConfigs = TESSERA_SOURCE_DIR "/bench/configs/";

TEST(Sample, MedianAndSpread) {
  Sample sample;
  EXPECT_EQ(sample.median(), 0);
  for (const double value : {5.0, 1.0, 3.0, 2.0, 4.0})
    sample.add(value);
  EXPECT_DOUBLE_EQ(sample.median(), 3);
  EXPECT_DOUBLE_EQ(sample.low(), 1.4);
  EXPECT_DOUBLE_EQ(sample.high(), 4.6);
  EXPECT_DOUBLE_EQ(sample.spread(), 1.6 / 3);
}

TEST(Shapes, FilesAreParsed) {
  const auto shapes = parse_shapes("# head\n* a.down: 3 4\n\n  b: 5\n");
  ASSERT_EQ(shapes.size(), 2U);
  EXPECT_EQ(shapes[0].name, "a.down");
  EXPECT_EQ(shapes[0].numbers, (std::vector<int64_t>{3, 4}));
  EXPECT_TRUE(shapes[0].selected);
  EXPECT_FALSE(shapes[1].selected);
  EXPECT_EQ(shapes_of("gemm_s8").front().numbers.size(), 2U);
  EXPECT_EQ(shapes_of("attention").front().numbers.size(), 3U);
}

TEST(BoundingLoop, IsOfTheInstructionSet) {
  const quant::LinearScheme bf16;
  const quant::LinearScheme w4a4{.weight = {.bits = 4}, .activation = {.bits = 4}};
  const quant::LinearScheme w8a8{.weight = {.bits = 8}, .activation = {.bits = 8}};
  const quant::LinearScheme w4a8{.weight = {.bits = 4}, .activation = {.bits = 8}};
  const quant::LinearScheme w4a16{.weight = {.bits = 4}, .activation = {}};
  EXPECT_EQ(bounding_loop(bf16, Isa::kScalar), nullptr);
  EXPECT_STREQ(bounding_loop(w4a4, Isa::kAvx2)->name, "avx2_int4");
  EXPECT_STREQ(bounding_loop(w4a8, Isa::kAvx2)->name, "avx2_int4");
  EXPECT_STREQ(bounding_loop(w8a8, Isa::kAvx2)->name, "avx2_int8");
  EXPECT_STREQ(bounding_loop(w8a8, Isa::kAvx512)->name, "vpdpbusd");
  EXPECT_STREQ(bounding_loop(w4a16, Isa::kAvx512)->name, "fma");
  EXPECT_STREQ(bounding_loop(w4a16, Isa::kAvx512Bf16)->name, "vdpbf16ps");
}

TEST(RowCases, EveryKernelRuns) {
  ThreadPool pool(2);
  for (const KernelCase& one : row_cases()) {
    if (one.m != 1) continue;
    auto run = one.make(pool);
    ASSERT_TRUE(run.has_value()) << one.id();
    EXPECT_TRUE((*run)->run().has_value()) << one.id();
    EXPECT_GT((*run)->bytes, 0) << one.id();
  }
}

Result<models::ModelConfig> config_of(const std::string& name) {
  const std::string text = TRY(read_text_file(kConfigs + name + ".json", 1 << 20));
  return models::parse_model_config(nlohmann::json::parse(text));
}

// Parameters of the published models, less embeddings and norms: their model cards say 0.44 B, 1.4 B, 6.95 B,
// 3.3 B active with both embeddings (0.62 B), 0.97 B and 0.106 B.
TEST(ModelWork, OfPublishedModels) {
  constexpr std::pair<const char*, int64_t> kModels[] = {{"qwen3-0.6b", 440'401'920},
                                                         {"qwen3-1.7b", 1'409'286'144},
                                                         {"qwen3-8b", 6'945'767'424},
                                                         {"qwen3-30b-a3b", 2'730'491'904},
                                                         {"llama-3.2-1b", 973'078'528},
                                                         {"smollm2-135m", 106'168'320},
                                                         {"qwen3-30b-a3b-12-layers", 682'622'976}};
  for (const auto& [name, macs] : kModels) {
    const auto config = config_of(name);
    ASSERT_TRUE(config) << name << ": " << config.error().message();
    EXPECT_EQ(macs_per_token(*config), macs) << name;
    EXPECT_EQ(macs_per_step(*config, 3, 3), 3 * (macs + head_macs(*config))) << name;
    EXPECT_LT(macs_per_step(*config, 3, 1), 3 * macs + head_macs(*config)) << name;
  }
}

TEST(ModelWork, ExpertsThatATokenReads) {
  auto config = config_of("qwen3-30b-a3b");
  ASSERT_TRUE(config);
  models::LoadReport report;
  report.bytes_per_token = 1000;
  report.bytes_per_expert = 10;
  EXPECT_NEAR(bytes_per_step(*config, report, 1), 1000, 1e-6);
  EXPECT_NEAR(bytes_per_step(*config, report, 100'000), 1000 + 120 * 10, 1e-3);
}

std::string write_tiny_config() {
  const nlohmann::json config = {{"architectures", {"Qwen3ForCausalLM"}},
                                 {"vocab_size", 64},
                                 {"hidden_size", 64},
                                 {"intermediate_size", 128},
                                 {"num_hidden_layers", 5},
                                 {"num_attention_heads", 4},
                                 {"num_key_value_heads", 2},
                                 {"head_dim", 16},
                                 {"max_position_embeddings", 64},
                                 {"rms_norm_eps", 1e-6},
                                 {"tie_word_embeddings", true}};
  std::string path = testing::TempDir() + "tiny.json";
  EXPECT_TRUE(write_text_file(path, config.dump()));
  return path;
}

TEST(Latency, ATinyModelAndTheJsonOfIt) {
  LatencyOptions options{.config = write_tiny_config(), .scheme = "w8a8"};
  options.batches = {1, 3};
  options.prompts = {20, 60};
  options.decode = 8;
  options.layers = 2;
  options.threads = 2;
  options.seconds = 0;
  size_t calls = 0;
  const auto report = measure_latency(options, [&](const LatencyReport&) { ++calls; });
  ASSERT_TRUE(report) << report.error().message();
  EXPECT_EQ(calls, 4U);
  const auto json = to_json(*report);
  EXPECT_EQ(json["model"], "tiny");
  EXPECT_EQ(json["layers"], 2);
  EXPECT_EQ(json["scheme"], "w8a8");
  EXPECT_EQ(json["layout"], "nz");
  EXPECT_EQ(json["machine"]["threads"], 2);
  EXPECT_GT(json["machine"]["peaks"]["dram_gbs"].get<double>(), 0);
  ASSERT_EQ(json["runs"].size(), 4U);
  for (const auto& run : json["runs"]) {
    if (run["prompt"] == 60) {  // 68 positions of 64
      EXPECT_TRUE(run.contains("skipped"));
      continue;
    }
    EXPECT_EQ(run["decode"], 8);
    EXPECT_EQ(run["decode_steps"], 8);
    EXPECT_EQ(run["prefill_rows"], 20 * run["batch"].get<int>());
    EXPECT_GT(run["prefill_tokens_per_s"].get<double>(), 0);
    EXPECT_GT(run["decode_tokens_per_s"].get<double>(), 0);
    EXPECT_GT(run["fraction_of_bandwidth"].get<double>(), 0);
    EXPECT_TRUE(run.contains("fraction_of_peak"));
  }
  EXPECT_NE(head_text(*report).find("tiny (2 layers)"), std::string::npos);
  EXPECT_NE(line_text(report->runs.back()).find("skipped"), std::string::npos);
}

TEST(Latency, BadOptionsAreErrors) {
  const auto ignore = [](const LatencyReport&) {};
  LatencyOptions options{.config = "/absent.json"};
  EXPECT_FALSE(measure_latency(options, ignore));
  options.config = write_tiny_config();
  options.scheme = "w3a3";
  EXPECT_FALSE(measure_latency(options, ignore));
}

TEST(Kernels, EveryCaseHasAName) {
  size_t selected = 0;
  for (const auto& group : {linear_cases(), attention_cases(), moe_cases()}) {
    for (const KernelCase& one : group) {
      EXPECT_GT(one.m * one.n * one.k, 0) << one.id();
      selected += one.selected ? 1 : 0;
    }
  }
  EXPECT_GT(selected, 20U);
  EXPECT_LT(selected, 100U);
}

TEST(Kernels, ASmallLinearAndTheJsonOfIt) {
  KernelOptions options{.threads = 1, .pattern = "^linear/w8a8/nz/smollm2-135m.o/m4$"};
  options.seconds = 0;
  const auto report = measure_kernels(options, [](const KernelReport&) {});
  ASSERT_TRUE(report) << report.error().message();
  const auto json = to_json(*report);
  ASSERT_EQ(json["cases"].size(), 1U);
  const auto& one = json["cases"][0];
  EXPECT_EQ(one["kernel"], "linear");
  EXPECT_EQ(one["scheme"], "w8a8");
  EXPECT_EQ(one["layout"], "nz");
  EXPECT_EQ(one["isa"], isa_name(active_isa()));
  EXPECT_EQ(one["threads"], 1);
  EXPECT_EQ(one["m"], 4);
  EXPECT_EQ(one["n"], 576);
  EXPECT_EQ(one["k"], 576);
  EXPECT_GT(one["gmacs"].get<double>(), 0);
  EXPECT_GT(one["gbs"].get<double>(), 0);
  EXPECT_GT(one["fraction_of_peak"].get<double>(), 0);
  EXPECT_TRUE(one.contains("ratio_to_onednn"));
}

TEST(Kernels, BadPatternsAreErrors) {
  const auto ignore = [](const KernelReport&) {};
  EXPECT_FALSE(measure_kernels({.pattern = "(("}, ignore));
  EXPECT_FALSE(measure_kernels({.pattern = "no such case"}, ignore));
}

}  // namespace
}  // namespace tessera::bench
