#include "cli/serve_options.h"

#include <gtest/gtest.h>

namespace tessera::cli {
namespace {

// Parses a command line; nothing on a usage error.
std::optional<ServeOptions> parse(const std::string& line) {
  CLI::App app;
  ServeOptions options;
  add_serve_options(app, options);
  try {
    app.parse(line);
  } catch (const CLI::ParseError&) {
    return std::nullopt;
  }
  return options;
}

TEST(ServeOptions, Defaults) {
  const auto options = parse("--model-path m");
  ASSERT_TRUE(options);
  EXPECT_EQ(options->model_path, "m");
  EXPECT_EQ(options->http.host, "127.0.0.1");
  EXPECT_EQ(options->http.port, 30000);
  EXPECT_FALSE(options->random_seed);
  EXPECT_TRUE(options->no_effect.empty());
}

TEST(ServeOptions, Values) {
  const auto options = parse(
      "--model m --port 0 --context-length 100 --max-running-requests 3 --max-total-tokens 5000 "
      "--mem-fraction-static 0.5 --chunked-prefill-size 64 --random-seed 7 --threads 2 --skip-server-warmup "
      "--tp 1");
  ASSERT_TRUE(options);
  EXPECT_EQ(options->context_length, 100);
  EXPECT_EQ(options->max_running_requests, 3);
  EXPECT_EQ(options->max_total_tokens, 5000);
  EXPECT_DOUBLE_EQ(options->mem_fraction_static, 0.5);
  EXPECT_EQ(options->random_seed, 7U);
  EXPECT_TRUE(options->skip_server_warmup);
}

TEST(ServeOptions, OptionsOfOtherDevicesAreNamedOnce) {
  const auto options =
      parse("--model m --cuda-graph-bs 1 2 4 --trust-remote-code --attention-backend ascend --port 5");
  ASSERT_TRUE(options);
  EXPECT_EQ(options->http.port, 5);
  EXPECT_EQ(options->no_effect.size(), 3U);
}

TEST(ServeOptions, UsageErrors) {
  for (const char* line :
       {"", "--model m --port 70000", "--model m --port x", "--model m --tp-size 2", "--model m --dtype int3",
        "--model m --max-running-requests 0", "--model m --no-such 1", "--model m --mem-fraction-static 2",
        "--model m --attention-backend", "--model m --kv-cache-dtype fp8"}) {
    EXPECT_FALSE(parse(line)) << line;
  }
}

TEST(ServeOptions, Checks) {
  auto options = *parse("--model m --device npu");
  EXPECT_FALSE(check_serve_options(options));
  EXPECT_EQ(options.kv_cache_dtype, "auto");
  EXPECT_EQ(parse("--model m --kv-cache-dtype int8")->kv_cache_dtype, "int8");
  options = *parse("--model m --chunked-prefill-size 0");
  EXPECT_FALSE(check_serve_options(options));
  options = *parse("--model m --chunked-prefill-size -1 --api-key secret");
  EXPECT_TRUE(check_serve_options(options));
  EXPECT_GT(options.chunked_prefill_size, 1'000'000);
  EXPECT_EQ(options.served_model_name, "m");
  EXPECT_EQ(describe(options).dump().find("secret"), std::string::npos);
}

}  // namespace
}  // namespace tessera::cli
