#include "formats/hf/model_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

TEST_F(ModelDirTest, RefusesEosIdsThatAreNotIds) {
  for (const std::string id : {"-1", "\"2\"", "2.0", "2147483648", "[1,[2]]", "{}", "true"}) {
    dir_.write("config.json", "{\"eos_token_id\":" + id + "}");
    EXPECT_THAT(error(), HasSubstr("config.json: eos_token_id: ")) << id;
  }
}

}  // namespace
}  // namespace tessera::formats
