#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

namespace tessera {
namespace {

namespace fs = std::filesystem;

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "tessera-file-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  size_t files_in_folder() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST_F(FileTest, ReadsAtOffsets) {
  const auto file = InputFile::open(write("a", "0123456789")).value();
  EXPECT_EQ(file.size(), 10U);
  std::string out(4, ' ');
  ASSERT_TRUE(file.read_at(6, std::as_writable_bytes(std::span(out.data(), out.size()))).has_value());
  EXPECT_EQ(out, "6789");
  EXPECT_TRUE(file.read_at(10, {}).has_value());
}

TEST_F(FileTest, ReadingPastTheEndNamesFileAndBytes) {
  const auto path = write("short", "0123456789");
  const auto file = InputFile::open(path).value();
  std::string out(4, ' ');
  const auto status = file.read_at(8, std::as_writable_bytes(std::span(out.data(), out.size())));
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code(), ErrorCode::kDataCorrupt);
  EXPECT_EQ(status.error().message(), path.string() + ": ends at byte 10, expected at least 12");
}

TEST_F(FileTest, OpenRefusesWhatIsNoFile) {
  EXPECT_EQ(InputFile::open(folder_ / "absent").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(InputFile::open(folder_).error().code(), ErrorCode::kInvalidArgument);
  ASSERT_EQ(mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(InputFile::open(folder_ / "fifo").error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(FileTest, TellsWhetherItWasWrittenToSinceItWasOpened) {
  const auto file = InputFile::open(write("a", "0123456789")).value();
  EXPECT_TRUE(file.check_unchanged());
  fs::rename(write("b", "another"), folder_ / "a");  // what is open stays as it was
  EXPECT_TRUE(file.check_unchanged());
  const auto cut = InputFile::open(folder_ / "a").value();
  fs::resize_file(folder_ / "a", 3);
  ASSERT_FALSE(cut.check_unchanged());
  EXPECT_NE(cut.check_unchanged().error().message().find("was written to while it was read"),
            std::string::npos);
}

TEST_F(FileTest, FollowsSymlinks) {
  write("target", "text");
  fs::create_symlink("target", folder_ / "link");
  EXPECT_EQ(read_text_file(folder_ / "link", 100).value(), "text");
}

TEST_F(FileTest, TextHasALimit) {
  const auto path = write("text", "12345");
  EXPECT_EQ(read_text_file(path, 5).value(), "12345");
  const auto over = read_text_file(path, 4);
  ASSERT_FALSE(over.has_value());
  EXPECT_EQ(over.error().message(), path.string() + ": 5 bytes, expected at most 4");
}

TEST_F(FileTest, MovedFilesStayOpen) {
  auto first = InputFile::open(write("a", "aaa")).value();
  auto second = InputFile::open(write("b", "bb")).value();
  first = std::move(second);
  std::string out(2, ' ');
  ASSERT_TRUE(first.read_at(0, std::as_writable_bytes(std::span(out.data(), out.size()))).has_value());
  EXPECT_EQ(out, "bb");
}

TEST_F(FileTest, OutputAppearsOnCommitOnly) {
  const auto path = folder_ / "out";
  auto file = OutputFile::create(path).value();
  ASSERT_TRUE(file.append(bytes_of("hello ")).has_value());
  ASSERT_TRUE(file.append(bytes_of("world")).has_value());
  ASSERT_TRUE(file.write_at(0, bytes_of("J")).has_value());
  ASSERT_TRUE(file.append(bytes_of("!")).has_value());
  EXPECT_FALSE(fs::exists(path));
  ASSERT_TRUE(file.commit().has_value());
  EXPECT_EQ(read_text_file(path, 100).value(), "Jello world!");
  EXPECT_EQ(files_in_folder(), 1U);
}

TEST_F(FileTest, AbandonedOutputVanishesAndKeepsTheOldFile) {
  const auto path = write("out", "old");
  {
    auto file = OutputFile::create(path).value();
    ASSERT_TRUE(file.append(bytes_of("new")).has_value());
  }
  EXPECT_EQ(read_text_file(path, 100).value(), "old");
  EXPECT_EQ(files_in_folder(), 1U);
}

TEST_F(FileTest, WriteTextReplaces) {
  const auto path = write("out", "a longer old text");
  ASSERT_TRUE(write_text_file(path, "new").has_value());
  EXPECT_EQ(read_text_file(path, 100).value(), "new");
}

TEST_F(FileTest, CreateInAbsentFolderIsAnError) {
  const auto file = OutputFile::create(folder_ / "absent" / "out");
  ASSERT_FALSE(file.has_value());
  EXPECT_NE(file.error().message().find("absent/out"), std::string::npos);
}

}  // namespace
}  // namespace tessera
