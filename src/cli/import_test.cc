#include "cli/import.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "formats/hf/model_dir.h"
#include "formats/test_directory.h"

namespace tessera::cli {
namespace {

ImportArguments parse(const std::string& line) {
  CLI::App app;
  ImportArguments arguments;
  add_import_options(app, arguments);
  app.parse(line);
  return arguments;
}

TEST(ImportCommand, ParsesItsOptions) {
  const ImportArguments defaults = parse("in.gguf --output out");
  EXPECT_EQ(defaults.file, "in.gguf");
  EXPECT_EQ(defaults.output, "out");
  EXPECT_EQ(defaults.dtype, "bfloat16");
  EXPECT_FALSE(defaults.force);
  EXPECT_TRUE(parse("in.gguf -o out --dtype float32 --force").force);
  EXPECT_THROW(parse("in.gguf"), CLI::RequiredError);
  EXPECT_THROW(parse("--output out"), CLI::RequiredError);
  EXPECT_THROW(parse("in.gguf --output out --dtype int8"), CLI::ValidationError);
}

TEST(ImportCommand, WritesADirectoryOfTheDtypeAskedFor) {
  const std::string gguf = std::string(TESSERA_SOURCE_DIR) + "/tests/golden/gguf/qwen3.gguf";
  const formats::TestDirectory dir;
  const std::string out = dir.path() + "/model";
  ASSERT_TRUE(run_import({.file = gguf, .output = out, .dtype = "float32"}).has_value());
  EXPECT_EQ(formats::open_model_dir(out)->config["torch_dtype"], "float32");
  EXPECT_FALSE(run_import({.file = gguf, .output = out}).has_value());
  ASSERT_TRUE(run_import({.file = gguf, .output = out, .force = true}).has_value());
  EXPECT_EQ(formats::open_model_dir(out)->config["torch_dtype"], "bfloat16");
}

}  // namespace
}  // namespace tessera::cli
