// Figures against numpy's, and by hand for a run of three requests.
#include "bench/serving/metrics.h"

#include "bench/serving/serving.h"
#include "bench/serving/test_golden.h"

namespace tessera::bench::serving {
namespace {

TEST(Spread, AsNumpy) {
  const auto cases = golden()["statistics"];
  ASSERT_EQ(cases.size(), 4U);
  for (const auto& one : cases) {
    const Spread spread = spread_of(one["sample"].get<std::vector<double>>());
    const auto near = [&](double value, const char* name) {
      EXPECT_NEAR(value, one[name].get<double>(), 1e-12) << name << " of " << one["sample"].size();
    };
    near(spread.mean, "mean");
    near(spread.median, "median");
    near(spread.std, "std");
    near(spread.p90, "p90");
    near(spread.p95, "p95");
    near(spread.p99, "p99");
    near(spread.max, "max");
  }
  EXPECT_EQ(spread_of({}).p99, 0);
}

/// Two answers of 4 and 1 tokens, and a failure between them.
struct Example {
  std::vector<Prompt> prompts{{.input_tokens = 10, .output_tokens = 4},
                              {.input_tokens = 1000, .output_tokens = 4},
                              {.input_tokens = 30, .output_tokens = 1}};
  std::vector<Outcome> outcomes;

  Example() : outcomes(3) {
    outcomes[0] = {.success = true,
                   .error = {},
                   .start_s = 0.5,
                   .ttft_s = 0.25,
                   .latency_s = 2.25,
                   .itls_s = {0.5, 0.5, 1.0},
                   .chunks = {"a", "mosaic of tiles", ""},
                   .text = "the tile",
                   .output_tokens = 4};
    outcomes[1].error = "status 500: \"broken\"";
    outcomes[1].itls_s = {9.0};
    outcomes[2] = {.success = true,
                   .error = {},
                   .start_s = 1.0,
                   .ttft_s = 0.75,
                   .latency_s = 0.75,

                   .chunks = {},
                   .text = "mosaic",
                   .output_tokens = 1};
  }
};

TEST(Metrics, OfARun) {
  const Example run;
  const auto tokenizer = golden_tokenizer();
  const auto metrics = compute_metrics(run.prompts, run.outcomes, 4, tokenizer, false);
  ASSERT_TRUE(metrics) << metrics.error().message();
  EXPECT_EQ(metrics->completed, 2);
  EXPECT_EQ(metrics->input_tokens, 40);
  EXPECT_EQ(metrics->output_tokens, 5);
  const size_t retokenized =
      tokenizer.encode("the tile", false)->size() + tokenizer.encode("mosaic", false)->size();
  EXPECT_EQ(metrics->retokenized_output_tokens, static_cast<int64_t>(retokenized));
  EXPECT_DOUBLE_EQ(metrics->requests_per_s, 0.5);
  EXPECT_DOUBLE_EQ(metrics->input_tokens_per_s, 10);
  EXPECT_DOUBLE_EQ(metrics->output_tokens_per_s, 1.25);
  EXPECT_DOUBLE_EQ(metrics->total_tokens_per_s, 11.25);
  EXPECT_DOUBLE_EQ(metrics->concurrency, 3.0 / 4);
  EXPECT_DOUBLE_EQ(metrics->ttft_s.mean, 0.5);
  EXPECT_DOUBLE_EQ(metrics->latency_s.median, 1.5);
  EXPECT_DOUBLE_EQ(metrics->tpot_s.mean, 2.0 / 3);  // of the first alone: one token has no next
  EXPECT_DOUBLE_EQ(metrics->itl_s.mean, 2.0 / 3);
  EXPECT_DOUBLE_EQ(metrics->itl_s.max, 1);
  // Since 0.5: texts at 0.25, 0.75, 1.25 and 2.25 of the first, at 1.25 of the last.
  EXPECT_DOUBLE_EQ(metrics->peak_output_tokens, 2);
  EXPECT_EQ(metrics->peak_concurrency, 2);
}

TEST(Metrics, GapsSplitOverTokens) {
  const Example run;
  const auto tokenizer = golden_tokenizer();
  const auto metrics = compute_metrics(run.prompts, run.outcomes, 4, tokenizer, true);
  ASSERT_TRUE(metrics);
  const auto tokens = static_cast<double>(tokenizer.encode("mosaic of tiles", false)->size());
  EXPECT_GT(tokens, 1);
  EXPECT_DOUBLE_EQ(metrics->itl_s.mean, 2.0 / (tokens + 2));
}

TEST(Report, LinesAndJsonAsSglang) {
  const Example run;
  ServingReport report{.prompts = run.prompts, .outcomes = run.outcomes};
  report.options.max_concurrency = 64;
  report.options.output_details = true;
  report.metrics = compute_metrics(run.prompts, run.outcomes, 4, golden_tokenizer(), false).value();
  const std::string text = report_text(report);
  for (const char* line :
       {"\n============ Serving Benchmark Result ============\n",
        "Backend:                                 sglang    \n",
        "Traffic request rate:                    inf       \n",
        "Max request concurrency:                 64        \n",
        "Successful requests:                     2         \n",
        "Failed requests:                         1         \nFirst error: status 500: \"broken\"\n",
        "Benchmark duration (s):                  4.00      \n",
        "Output token throughput (tok/s):         1.25      \n",
        "----------------End-to-End Latency----------------\n",
        "Mean TTFT (ms):                          500.00    \n",
        "Median TPOT (ms):                        666.67    \n",
        "Max ITL (ms):                            1000.00   \n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "in" << text;
  }
  const auto json = to_json(report);
  EXPECT_EQ(json["request_rate"], "inf");
  EXPECT_EQ(json["max_concurrency"], 64);
  EXPECT_TRUE(json["sharegpt_output_len"].is_null());
  EXPECT_EQ(json["completed"], 2);
  EXPECT_EQ(json["total_output_tokens"], 5);
  EXPECT_DOUBLE_EQ(json["mean_ttft_ms"].get<double>(), 500);
  EXPECT_EQ(json["output_lens"], nlohmann::ordered_json({4, 0, 1}));
  EXPECT_EQ(json["input_lens"], nlohmann::ordered_json({10, 1000, 30}));
  EXPECT_EQ(json["errors"][1], "status 500: \"broken\"");
}

TEST(Report, RecordsAreAppended) {
  ServingReport report;
  report.options.output_file = testing::TempDir() + "serving_records.jsonl";
  std::remove(report.options.output_file.c_str());
  for (const char* tag : {"first", "second"}) {
    report.options.tag = tag;
    const auto written = append_record(report);
    ASSERT_TRUE(written) << written.error().message();
    EXPECT_EQ(*written, report.options.output_file);
  }
  const auto lines = read_text_file(report.options.output_file, 1 << 20);
  ASSERT_TRUE(lines);
  const size_t end = lines->find('\n');
  EXPECT_EQ(nlohmann::json::parse(lines->substr(0, end))["tag"], "first");
  EXPECT_EQ(nlohmann::json::parse(lines->substr(end))["tag"], "second");
  report.options.output_file = "/absent/file.jsonl";
  EXPECT_FALSE(append_record(report));
}

}  // namespace
}  // namespace tessera::bench::serving
