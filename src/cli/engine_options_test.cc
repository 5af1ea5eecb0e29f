#include "cli/engine_options.h"

#include <gtest/gtest.h>

namespace tessera::cli {
namespace {

// Parses a command line; nothing on a usage error.
std::optional<EngineArguments> parse(const std::string& line) {
  CLI::App app;
  EngineArguments arguments;
  add_engine_options(app, arguments);
  try {
    app.parse(line);
  } catch (const CLI::ParseError&) {
    return std::nullopt;
  }
  return arguments;
}

engine::EngineOptions applied(const std::string& line) {
  engine::EngineOptions options;
  const auto arguments = parse(line);
  EXPECT_TRUE(arguments && apply_engine_options(*arguments, options)) << line;
  return options;
}

TEST(EngineOptions, DefaultsAreTheEngines) {
  const engine::EngineOptions options = applied(""), defaults;
  EXPECT_EQ(options.chunked_prefill_size, defaults.chunked_prefill_size);
  EXPECT_EQ(options.max_step_stretch, defaults.max_step_stretch);
  EXPECT_EQ(options.schedule_policy, defaults.schedule_policy);
  EXPECT_EQ(options.schedule_conservativeness, defaults.schedule_conservativeness);
  EXPECT_TRUE(options.share_prefixes);
  EXPECT_EQ(options.ngram.draft_tokens, 0);
}

TEST(EngineOptions, Values) {
  const engine::EngineOptions options = applied(
      "--disable-radix-cache --max-prefill-tokens 2 --schedule-policy lpm --schedule-conservativeness 0.3 "
      "--max-step-stretch 0");
  EXPECT_FALSE(options.share_prefixes);
  EXPECT_EQ(options.chunked_prefill_size, 2);
  EXPECT_EQ(options.schedule_policy, engine::SchedulePolicy::kLpm);
  EXPECT_DOUBLE_EQ(options.schedule_conservativeness, 0.3);
  EXPECT_EQ(options.max_step_stretch, 0);
  EXPECT_EQ(parse("--page-size 16")->page_size, 16);
}

TEST(EngineOptions, Speculation) {
  EXPECT_EQ(applied("--speculative-algorithm NGRAM").ngram.draft_tokens, 11);
  const engine::EngineOptions options = applied(
      "--speculative-algorithm NGRAM --speculative-num-draft-tokens 4 "
      "--speculative-ngram-min-match-window-size 2 --speculative-ngram-max-match-window-size 6");
  EXPECT_EQ(options.ngram.draft_tokens, 3);
  EXPECT_EQ(options.ngram.min_match, 2);
  EXPECT_EQ(options.ngram.max_match, 6);
  engine::EngineOptions unchanged;
  EXPECT_FALSE(apply_engine_options(*parse("--speculative-algorithm EAGLE"), unchanged));
}

TEST(EngineOptions, UsageErrors) {
  for (const char* line : {"--page-size 0", "--schedule-policy lof", "--schedule-conservativeness -1",
                           "--max-prefill-tokens 0", "--speculative-num-draft-tokens 1"}) {
    EXPECT_FALSE(parse(line)) << line;
  }
}

}  // namespace
}  // namespace tessera::cli
