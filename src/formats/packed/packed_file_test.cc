#include "formats/packed/packed_file.h"

#include <gtest/gtest.h>

#include "formats/packed/packed_sources.h"
#include "formats/test_directory.h"

namespace tessera::formats {
namespace {

namespace fs = std::filesystem;

// A safetensors file of one tensor [4] of bytes.
std::string safetensors(std::string_view data) {
  const std::string json = R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})";
  std::string file(8, '\0');
  file[0] = static_cast<char>(json.size());
  return file + json + std::string(data);
}

class PackedFileTest : public ::testing::Test {
 protected:
  fs::path path(const char* name) const { return fs::path(directory_.path()) / name; }
  std::string difference(std::span<const SourceFile> then) const {
    return first_difference(then, list_sources(directory_.path()).value());
  }
  TestDirectory directory_;
};

TEST_F(PackedFileTest, IsOpenedAsItWasWritten) {
  const std::string text = "{\"a\": 1}";
  PackedContents contents;
  contents.files = {{"config.json", std::as_bytes(std::span(text.data(), text.size()))}};
  const uint64_t bytes = write_packed_file(path("a.packed"), contents).value();
  EXPECT_EQ(fs::file_size(path("a.packed")), bytes);
  EXPECT_EQ(directory_.files(), std::vector<std::string>{"a.packed"});
  const auto file = PackedFile::open(path("a.packed")).value();
  EXPECT_EQ(*file.model_files().find("config.json"), text);
  EXPECT_EQ(file.model_files().find("tokenizer.json"), nullptr);
}

TEST_F(PackedFileTest, IsReplacedAlthoughItIsReadOnly) {
  ASSERT_TRUE(write_packed_file(path("a.packed"), {}));
  EXPECT_EQ(fs::status(path("a.packed")).permissions(), fs::perms(0444));
  const auto old = PackedFile::open(path("a.packed")).value();
  PackedContents contents;
  contents.format = "new";
  ASSERT_TRUE(write_packed_file(path("a.packed"), contents));
  EXPECT_EQ(PackedFile::open(path("a.packed"))->contents().format, "new");
  EXPECT_EQ(old.contents().format, "");
}

TEST_F(PackedFileTest, NamesAFileThatIsNone) {
  directory_.write("a.packed", "no such thing");
  EXPECT_EQ(PackedFile::open(path("a.packed")).error().message(),
            path("a.packed").string() + ": not a packed file, expected one made by tessera pack");
}

TEST_F(PackedFileTest, SourcesAreTheFilesThatDecideTheWeights) {
  directory_.write("config.json", "{}");
  directory_.write("tokenizer.json", "{}");
  directory_.write("model.safetensors", safetensors("abcd"));
  const auto then = list_sources(directory_.path()).value();
  ASSERT_EQ(then.size(), 2U);
  EXPECT_EQ(then[0].name, "config.json");
  EXPECT_EQ(then[1].name, "model.safetensors");
  EXPECT_EQ(difference(then), "");
  directory_.write("tokenizer.json", "{\"other\": 1}");
  EXPECT_EQ(difference(then), "");
}

TEST_F(PackedFileTest, TellsTheFirstDifferenceOfSources) {
  directory_.write("config.json", "{}");
  directory_.write("model.safetensors", safetensors("abcd"));
  const auto then = list_sources(directory_.path()).value();
  directory_.write("config.json", "[]");
  EXPECT_EQ(difference(then), "config.json has another content");
  directory_.write("config.json", "{} ");
  EXPECT_EQ(difference(then), "config.json has 3 bytes, expected 2");
  fs::remove(path("config.json"));
  EXPECT_EQ(difference(then), "config.json is no longer there");
}

TEST_F(PackedFileTest, WeightsOfTheSameShapeAreKnownByTheirTime) {
  directory_.write("model.safetensors", safetensors("abcd"));
  const auto then = list_sources(directory_.path()).value();
  directory_.write("model.safetensors", safetensors("efgh"));
  fs::last_write_time(path("model.safetensors"),
                      fs::last_write_time(path("model.safetensors")) + std::chrono::seconds(5));
  EXPECT_TRUE(difference(then).starts_with("model.safetensors was written at ")) << difference(then);
  directory_.write("quant_model_description.json", "{}");
  EXPECT_NE(difference(then), "");
}

}  // namespace
}  // namespace tessera::formats
