#include "bench/report/report.h"

#include <gtest/gtest.h>

#include "formats/test_directory.h"

namespace tessera::bench {
namespace {

using formats::TestDirectory;

constexpr const char* kMachine =
    R"("machine": {"cpu": "Some <CPU>", "isa": "avx512", "threads": 2, "peaks": {"vpdpbusd_gmacs": 400.0, "dram_gbs": 20.0}})";

std::string latency_json(const std::string& scheme, const std::string& layout, int packed_mb, double prefill,
                         double decode) {
  return fmt::format(
      R"({{{}, "model": "tiny", "scheme": "{}", "layout": "{}", "layers": 2, "packed_bytes": {}, "bytes_per_token": 1000000,
          "runs": [{{"batch": 1, "prompt": 512, "prefill_tokens_per_s": {}, "decode_tokens_per_s": {}, "fraction_of_peak": 0.5,
                     "decode_fraction_of_peak": null, "fraction_of_bandwidth": 0.8}},
                   {{"batch": 4, "prompt": 512, "skipped": "no room"}}]}})",
      kMachine, scheme, layout, packed_mb * 1'000'000, prefill, decode);
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(Report, TablesAndChartsOfEveryKind) {
  const TestDirectory directory;
  std::filesystem::create_directory(directory.path() + "/more");
  directory.write("kernels.json", fmt::format(R"({{{}, "cases": [
      {{"kernel": "linear", "name": "a.down", "scheme": "w4a8", "layout": "nz", "m": 512, "gmacs": 300, "gbs": 1.5, "bound": "vpdpbusd",
        "fraction_of_peak": 0.75, "spread": 0.02, "ratio_to_onednn": 1.25, "detail": "gemm_s8/avx512"}},
      {{"kernel": "linear", "name": "a.down", "scheme": "w4a4", "layout": "nd", "m": 1, "skipped": "no kernel"}}]}})",
                                              kMachine));
  directory.write("more/a.json", latency_json("w8a8", "nz", 200, 90, 9));
  directory.write("more/b.json", latency_json("w8a8", "nz", 200, 110, 11));
  directory.write("more/c.json", latency_json("w8a8", "nd", 200, 50, 5));
  directory.write("more/d.json", latency_json("w4a4", "nz", 104, 100, 18));
  directory.write("s.jsonl",
                  "{\"output_throughput\": 10.5, \"mean_ttft_ms\": 5, \"median_ttft_ms\": 4, "
                  "\"max_concurrency\": 1, \"request_rate\": "
                  "Infinity, \"tag\": \"Infinity \\\"x\\\"\"}\n\n"
                  "{\"output_throughput\": 40.5, \"mean_ttft_ms\": 9, \"p99_itl_ms\": 7.25, "
                  "\"max_concurrency\": 16, \"tag\": "
                  "\"Infinity \\\"x\\\"\"}\n");
  directory.write(
      "quality.json",
      R"({"models": [{"name": "m0", "scheme": "bf16", "layout": "nz", "bytes": 5000000, "perplexity": 30.125},
                                 {"name": "m1", "scheme": "w8a8", "layout": "nz", "bytes": 2500000, "perplexity": 31, "mean_kl": 0.0125}]})");
  directory.write(
      "memory.json",
      R"({"memory_loads": [{"title": "bf16 in tiles", "packed_bytes": 3000000, "checkpoint_bytes": 3000000, "peak_bytes": 3300000,
                                        "limit_bytes": 4000000, "seconds": 0.5, "samples": [[0, 100000], [0.5, 3300000]]}]})");
  directory.write(
      "peers.json",
      R"({"peers": {"speeds": {"m": {"ours": {"pp512": [100.0, 102.0, 104.0]}, "theirs": {"pp512": ["no room", "no room", 50.0],
                      "tg1b1": ["it crashed"]}}}, "loads": {"m": {"ours": {"load_s": [1.5]}}}}})");
  directory.write("notes.txt", "hello");
  directory.write("other.json", R"({"x": 1})");

  const auto report = make_report(directory.path());
  ASSERT_TRUE(report.has_value()) << report.error().message();
  EXPECT_EQ(report->skipped, (std::vector<std::string>{"notes.txt", "other.json"}));
  EXPECT_EQ(report->used.size(), 9U);
  for (const char* row : {
           "| linear/w4a8/nz/a.down/m512 | gemm_s8/avx512 | 300.0 | 1.5 | 75 % | 2 % | vpdpbusd | 1.25 |",
           "skipped: no kernel",
           "| tiny, 2 layers | w8a8 | nz | 512 | 1 | 100.0 | 50 % | 10.0 | 80 % | - |",  // the median of two
                                                                                         // files
           "| tiny, 2 layers | w8a8 | 512 | 1 | 50.0 | 100.0 | 2.00 | 5.0 | 10.0 | 2.00 |",  // nz against nd
           "| tiny, 2 layers | w4a4 | nz | 104 | 1 | 0.520 |",                               // of w8a8
           "| Infinity \"x\" | 16 | - | - | - | - | 40.5 |",
           "| m1 | w8a8 | nz | 2.5 | 31.000 | 0.01250 |",
           "| bf16 in tiles | 3 | 3 | 6 | 4 | 3 | 0.55 | 0.50 |",
           "| m | pp512 | ours | 102.0 +-2 % |",
           "| m | pp512 | theirs | 50.0 +-0 % |",
           "| m | tg1b1 | theirs | did not run: it crashed |",
           "| m | load_s | ours | 1.500 +-0 % |",
           "| Some &lt;CPU> | avx512 | 2 |",
       })
    EXPECT_TRUE(has(report->markdown, row)) << row << "\n" << report->markdown;
  for (const char* title :
       {"Roofline", "Throughput against concurrency", "Time to the first token", "Prefill: tiny",
        "Speed in tiles", "MB of weights: tiny", "Mean divergence against size", "Resident memory"})
    EXPECT_TRUE(has(report->html, title)) << title;
  EXPECT_TRUE(has(report->html, "Some &lt;CPU&gt;"));
  EXPECT_FALSE(has(report->html, "<CPU>"));
  EXPECT_FALSE(has(report->html, "://")) << "the page asks for nothing";
}

TEST(Report, MalformedFilesAreNamed) {
  constexpr std::pair<const char*, const char*> kWrong[] = {
      {"{\"machine\": ", "x.json: "},
      {R"({"machine": {}, "cases": 5})", "x.json: cases is 5, expected a list"},
      {R"({"machine": {}, "cases": [{"kernel": "k", "m": 1, "gmacs": "fast"}]})",
       "x.json: cases[0]: gmacs is \"fast\", expected a number"},
      {R"({"machine": 1, "cases": []})", "x.json: machine is 1, expected an object"},
      {R"({"memory_loads": [{"packed_bytes": 1, "peak_bytes": 2, "samples": [[1]]}]})",
       "x.json: memory_loads[0]: samples is [[1]], expected a list of pairs of numbers"},
      {R"({"models": [3]})", "x.json: models[0] is 3, expected an object"}};
  for (const auto& [text, message] : kWrong) {
    const TestDirectory directory;
    directory.write("x.json", text);
    const auto report = make_report(directory.path());
    ASSERT_FALSE(report.has_value()) << text;
    EXPECT_EQ(report.error().code(), ErrorCode::kDataCorrupt);
    EXPECT_TRUE(report.error().message().starts_with(message)) << report.error().message();
  }
}

TEST(Report, LinesAreNamedByNumber) {
  const TestDirectory directory;
  directory.write("x.jsonl", "{}\n\n{\"a\": \n");
  const auto report = make_report(directory.path());
  ASSERT_FALSE(report.has_value());
  EXPECT_TRUE(report.error().message().starts_with("x.jsonl:3: ")) << report.error().message();
}

TEST(Report, NothingToReport) {
  const TestDirectory directory;
  directory.write("notes.txt", "hello");
  for (const std::string& path : {directory.path(), directory.path() + "/absent"}) {
    const auto report = make_report(path);
    ASSERT_FALSE(report.has_value());
    EXPECT_EQ(report.error().code(), ErrorCode::kNotFound);
    EXPECT_TRUE(has(report.error().message(), path)) << report.error().message();
  }
}

}  // namespace
}  // namespace tessera::bench
