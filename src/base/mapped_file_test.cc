#include "base/mapped_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <string>

namespace tessera {
namespace {

namespace fs = std::filesystem;

class MappedFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "tessera-map-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }

  fs::path folder_;
};

TEST_F(MappedFileTest, HoldsTheFilesBytesOnAnAlignedAddress) {
  const std::string text(3'000'001, 'x');
  const auto file = MappedFile::open(write("a", text)).value();
  ASSERT_EQ(file.bytes().size(), text.size());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file.bytes().data()) % (size_t{2} << 20), 0U);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(file.bytes().data()), text.size()), text);
}

TEST_F(MappedFileTest, PopulatingChangesNothing) {
  ThreadPool pool(2);
  const auto file = MappedFile::open(write("a", std::string(100'000, 'y'))).value();
  file.populate(pool);
  EXPECT_EQ(file.bytes().back(), std::byte{'y'});
}

TEST_F(MappedFileTest, RefusesWhatIsNoFile) {
  EXPECT_EQ(MappedFile::open(folder_ / "absent").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(MappedFile::open(folder_).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(MappedFile::open(write("empty", "")).error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(MappedFileTest, KeepsTheOldBytesWhenTheFileIsReplaced) {
  const auto file = MappedFile::open(write("a", "old bytes")).value();
  fs::rename(write("b", "new"), folder_ / "a");
  EXPECT_EQ(file.bytes().size(), 9U);
  EXPECT_EQ(file.bytes().front(), std::byte{'o'});
}

TEST_F(MappedFileTest, EndsWithALineWhenTheFileIsCutShort) {
  const fs::path path = write("cut", std::string(100'000, 'z'));
  EXPECT_EXIT(
      {
        const auto file = MappedFile::open(path);
        fs::resize_file(path, 10);
        const volatile std::byte last = file->bytes().back();
        _exit(last == std::byte{'z'} ? 0 : 2);
      },
      ::testing::ExitedWithCode(1), "cut: was cut short");
}

}  // namespace
}  // namespace tessera
