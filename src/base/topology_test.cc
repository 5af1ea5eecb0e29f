#include "base/topology.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

namespace tessera {
namespace {

/// A file system of a test's own; removed with it.
class Root {
 public:
  Root() : path_(::testing::TempDir() + "topology-" + std::to_string(::getpid())) {
    std::filesystem::remove_all(path_);
  }
  ~Root() { std::filesystem::remove_all(path_); }
  Root(const Root&) = delete;
  Root& operator=(const Root&) = delete;

  void put(const std::string& name, const std::string& text) const {
    const std::filesystem::path file = path_ + name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text << "\n";
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(Topology, NoQuotaWhereNothingSaysSo) {
  const Root root;
  EXPECT_EQ(cgroup_cpu_quota(root.path()), 0.0);
  root.put("/proc/self/cgroup", "0::/");
  root.put("/sys/fs/cgroup/cpu.max", "max 100000");
  EXPECT_EQ(cgroup_cpu_quota(root.path()), 0.0);
}

TEST(Topology, Version2TakesTheSmallestUpToTheRoot) {
  const Root root;
  root.put("/proc/self/cgroup", "0::/system.slice/tessera.service");
  root.put("/sys/fs/cgroup/system.slice/cpu.max", "150000 100000");
  root.put("/sys/fs/cgroup/system.slice/tessera.service/cpu.max", "400000 100000");
  EXPECT_EQ(cgroup_cpu_quota(root.path()), 1.5);
  root.put("/sys/fs/cgroup/system.slice/tessera.service/cpu.max", "50000 100000");
  EXPECT_EQ(cgroup_cpu_quota(root.path()), 0.5);
}

TEST(Topology, Version2InAContainerWhosePathIsTheHosts) {
  const Root root;
  root.put("/proc/self/cgroup", "0::/docker/0123");
  root.put("/sys/fs/cgroup/cpu.max", "250000 100000");
  EXPECT_EQ(cgroup_cpu_quota(root.path()), 2.5);
}

TEST(Topology, Version1WithJoinedAndSingleControllers) {
  const Root root;
  root.put("/proc/self/cgroup", "5:memory:/a\n4:cpu,cpuacct:/a/b\n1:cpuset:/");
  root.put("/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1");
  root.put("/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "100000");
  EXPECT_EQ(cgroup_cpu_quota(root.path()), 0.0);
  root.put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "300000");
  root.put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000");
  EXPECT_EQ(cgroup_cpu_quota(root.path()), 3.0);
  const Root single;
  single.put("/proc/self/cgroup", "4:cpuacct,cpu:/");
  single.put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "120000");
  single.put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
  EXPECT_EQ(cgroup_cpu_quota(single.path()), 1.2);
}

TEST(Topology, NonsenseIsNoQuota) {
  const Root root;
  for (const char* text : {"", "max", "100000", "-5 100000", "100000 0", "one two"}) {
    root.put("/proc/self/cgroup", "no colon\n0::");
    root.put("/sys/fs/cgroup/cpu.max", text);
    EXPECT_EQ(cgroup_cpu_quota(root.path()), 0.0) << text;
  }
}

TEST(Topology, ThreadsAreAllowedCoresWithinTheQuota) {
  const Root root;
  const int cores = default_thread_count(root.path());  // no quota, no topology: every allowed CPU
  EXPECT_EQ(cores, static_cast<int>(allowed_cores(root.path()).size()));
  root.put("/sys/fs/cgroup/cpu.max", "100000 100000");
  EXPECT_EQ(default_thread_count(root.path()), 1);
  root.put("/sys/fs/cgroup/cpu.max", "1000 100000");
  EXPECT_EQ(default_thread_count(root.path()), 1);
  root.put("/sys/fs/cgroup/cpu.max", "110000 100000");
  EXPECT_EQ(default_thread_count(root.path()), std::min(cores, 2));
}

TEST(Topology, SiblingsAreOneCore) {
  const Root root;
  std::set<int> cpus;
  for (const CoreCpus& core : allowed_cores(root.path())) {
    for (const int cpu : core) {
      cpus.insert(cpu);
      const std::string directory = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
      root.put(directory + "physical_package_id", "0");
      root.put(directory + "core_id", "7");
    }
  }
  const auto cores = allowed_cores(root.path());
  ASSERT_EQ(cores.size(), 1U);
  EXPECT_EQ(std::set<int>(cores[0].begin(), cores[0].end()), cpus);
  EXPECT_EQ(default_thread_count(root.path()), 1);
}

TEST(Topology, TheAffinityMaskCounts) {
  std::thread([] {
    cpu_set_t one;
    CPU_ZERO(&one);
    const int cpu = allowed_cores().back().back();
    CPU_SET(cpu, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof(one), &one), 0);
    EXPECT_EQ(allowed_cores(), (std::vector<CoreCpus>{{cpu}}));
    EXPECT_EQ(default_thread_count(), 1);
  }).join();
}

}  // namespace
}  // namespace tessera
