#include "engine/available_memory.h"

#include <gtest/gtest.h>

#include <fstream>

#include "formats/test_directory.h"

namespace tessera::engine {
namespace {

class AvailableMemory : public testing::Test {
 protected:
  void write(const std::string& file, const std::string& text) const {
    const std::filesystem::path path = std::filesystem::path(root_.path()) / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  void write_meminfo() const {
    write("proc/meminfo", "MemTotal:       16000 kB\nMemFree:  10 kB\nMemAvailable:    8000 kB\n");
  }
  uint64_t available() const { return available_memory_bytes(root_.path()); }
  formats::TestDirectory root_;
};

TEST_F(AvailableMemory, IsTheKernelsFigureWithoutGroups) {
  EXPECT_EQ(available(), 0U);
  write_meminfo();
  EXPECT_EQ(available(), 8000U * 1024);
}

TEST_F(AvailableMemory, AGroupAboveTheOwnLimits) {
  write_meminfo();
  write("proc/self/cgroup", "0::/system.slice/tessera.service\n");
  write("sys/fs/cgroup/system.slice/tessera.service/memory.max", "max\n");
  write("sys/fs/cgroup/system.slice/tessera.service/memory.current", "5\n");
  EXPECT_EQ(available(), 8000U * 1024);
  write("sys/fs/cgroup/system.slice/memory.max", "1000000\n");
  write("sys/fs/cgroup/system.slice/memory.current", "600000\n");
  EXPECT_EQ(available(), 400000U);
  write("sys/fs/cgroup/system.slice/memory.stat", "anon 1\nfile 2\ninactive_file 100000\n");
  EXPECT_EQ(available(), 500000U) << "file cache counts as free";
}

TEST_F(AvailableMemory, VersionOneGroupsToo) {
  write_meminfo();
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "1000000\n");
  write("sys/fs/cgroup/memory/memory.usage_in_bytes", "1200000\n");
  EXPECT_EQ(available(), 0U);
}

TEST(AvailableMemoryHere, IsPlausible) {
  EXPECT_GT(available_memory_bytes(), uint64_t{1} << 20);
}

}  // namespace
}  // namespace tessera::engine
