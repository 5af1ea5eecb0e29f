#include "formats/hf/model_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "formats/hf/model_files.h"
#include "formats/test_directory.h"

namespace tessera::formats {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ModelDirTest : public testing::Test {
 protected:
  std::string error() {
    const auto model = open_model_dir(dir_.path());
    return model.has_value() ? "" : model.error().message();
  }
  TestDirectory dir_;
};

TEST_F(ModelDirTest, ReadsBothFiles) {
  dir_.write("config.json", R"({"hidden_size":64,"eos_token_id":7})");
  EXPECT_EQ(open_model_dir(dir_.path())->config["hidden_size"], 64);
  EXPECT_THAT(open_model_dir(dir_.path())->eos_token_ids, ElementsAre(7));
  EXPECT_TRUE(open_model_dir(dir_.path())->generation_config.is_object());
  dir_.write("generation_config.json", R"({"eos_token_id":[2,3],"temperature":0.6})");
  EXPECT_THAT(open_model_dir(dir_.path())->eos_token_ids, ElementsAre(2, 3));
  EXPECT_EQ(open_model_dir(dir_.path())->generation_config["temperature"], 0.6);
  dir_.write("generation_config.json", R"({"eos_token_id":null})");
  EXPECT_THAT(open_model_dir(dir_.path())->eos_token_ids, ElementsAre(7));
  dir_.write("config.json", "{}");
  EXPECT_THAT(open_model_dir(dir_.path())->eos_token_ids, ElementsAre());
}

TEST_F(ModelDirTest, RefusesWhatIsNotAConfig) {
  EXPECT_EQ(open_model_dir(dir_.path()).error().code(), ErrorCode::kNotFound);
  for (const std::string text : {"", "{", "[]", "7", "{\"a\":1,\"a\":2}"}) {
    dir_.write("config.json", text);
    EXPECT_THAT(error(), HasSubstr("/config.json: ")) << text;
  }
  dir_.write("config.json", std::string(200, '['));
  EXPECT_THAT(error(), HasSubstr("nested deeper"));
  dir_.write("config.json", "{}");
  dir_.write("generation_config.json", "[]");
  EXPECT_THAT(error(), HasSubstr("/generation_config.json: not a JSON object"));
}

// chat_template.jinja -> ~/.ssh/id_rsa would put a key into every prompt.
TEST_F(ModelDirTest, FilesOutsideOfTheDirectoryAreNotRead) {
  namespace fs = std::filesystem;
  const TestDirectory elsewhere;
  elsewhere.write("secret", "{}");
  dir_.write("config.json", "{}");
  for (const char* name : {"chat_template.jinja", "tokenizer.json", "tokenizer_config.json",
                           "generation_config.json", "config.json"}) {
    fs::remove(fs::path(dir_.path()) / name);
    fs::create_symlink(fs::path(elsewhere.path()) / "secret", fs::path(dir_.path()) / name);
    const auto files = read_model_files(dir_.path());
    ASSERT_FALSE(files.has_value()) << name;
    EXPECT_EQ(files.error().code(), ErrorCode::kInvalidArgument) << name;
    EXPECT_THAT(files.error().message(), HasSubstr("expected a file below")) << name;
    fs::remove(fs::path(dir_.path()) / name);
    dir_.write("config.json", "{}");
  }
  dir_.write("tokenizer.json", "{}");
  EXPECT_TRUE(read_model_files(dir_.path()).has_value());
}

TEST_F(ModelDirTest, RefusesEosIdsThatAreNotIds) {
  for (const std::string id : {"-1", "\"2\"", "2.0", "2147483648", "[1,[2]]", "{}", "true"}) {
    dir_.write("config.json", "{\"eos_token_id\":" + id + "}");
    EXPECT_THAT(error(), HasSubstr("config.json: eos_token_id: ")) << id;
  }
}

}  // namespace
}  // namespace tessera::formats
