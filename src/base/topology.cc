#include "base/topology.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>

namespace tessera {
namespace {

std::string read_small_file(const std::string& path) {
  constexpr size_t kMost = 64 * 1024;  // /proc/self/cgroup has a line per controller
  std::string text;
  FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return text;
  for (int c; text.size() < kMost && (c = std::fgetc(file)) != EOF;)
    text.push_back(static_cast<char>(c));
  std::fclose(file);
  return text;
}

std::string first_line(const std::string& path) {
  const std::string text = read_small_file(path);
  return text.substr(0, text.find('\n'));
}

std::vector<int> allowed_cpus() {
  // Machines with more CPUs than cpu_set_t has bits make the call fail until the set is large enough.
  for (int bits = CPU_SETSIZE; bits <= (1 << 20); bits *= 2) {
    cpu_set_t* set = CPU_ALLOC(static_cast<size_t>(bits));
    if (set == nullptr) break;
    const size_t bytes = CPU_ALLOC_SIZE(static_cast<size_t>(bits));
    const bool known = sched_getaffinity(0, bytes, set) == 0;
    std::vector<int> cpus;
    for (int cpu = 0; known && cpu < bits; ++cpu) {
      if (CPU_ISSET_S(static_cast<size_t>(cpu), bytes, set)) cpus.push_back(cpu);
    }
    CPU_FREE(set);
    if (!cpus.empty()) return cpus;
  }
  return {0};
}

/// "max 100000" and "150000 100000" of cgroup v2; 0 = none.
double quota_v2(const std::string& directory) {
  double quota_us = 0, period_us = 0;
  const std::string line = first_line(directory + "/cpu.max");
  if (std::sscanf(line.c_str(), "%lf %lf", &quota_us, &period_us) != 2) return 0;
  return quota_us > 0 && period_us > 0 ? quota_us / period_us : 0;
}

/// -1 = none.
double quota_v1(const std::string& directory) {
  const double quota_us = std::atof(first_line(directory + "/cpu.cfs_quota_us").c_str());
  const double period_us = std::atof(first_line(directory + "/cpu.cfs_period_us").c_str());
  return quota_us > 0 && period_us > 0 ? quota_us / period_us : 0;
}

/// The smallest quota of `path` and all above it under `mount`. In a container the path may be the host's,
/// which is not there; then the mount's own directory, which is always asked, is the container's.
double smallest_quota(const std::string& mount, std::string path, double (*quota)(const std::string&)) {
  double smallest = 0;
  while (true) {
    if (path == "/") path.clear();
    const double here = quota(mount + path);
    if (here > 0 && (smallest == 0 || here < smallest)) smallest = here;
    if (path.empty()) return smallest;
    path.erase(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

bool has_word(const std::string& list, const std::string& word) {
  return ("," + list + ",").find("," + word + ",") != std::string::npos;
}

}  // namespace

std::vector<CoreCpus> allowed_cores(const std::string& root) {
  std::map<std::string, CoreCpus> cores;
  for (const int cpu : allowed_cpus()) {
    const std::string topology = root + "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
    const std::string core =
        first_line(topology + "physical_package_id") + ":" + first_line(topology + "core_id");
    cores[core == ":" ? std::to_string(cpu) : core].push_back(cpu);
  }
  std::vector<CoreCpus> sorted;
  for (auto& [name, cpus] : cores)
    sorted.push_back(std::move(cpus));
  std::ranges::sort(sorted);
  return sorted;
}

double cgroup_cpu_quota(const std::string& root) {
  // Lines "hierarchy:controllers:path"; v2's is "0::path".
  std::istringstream lines(read_small_file(root + "/proc/self/cgroup"));
  const std::string mount = root + "/sys/fs/cgroup";
  double smallest = smallest_quota(mount, "", quota_v2);
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1),
                      path = line.substr(second + 1);
    double here = 0;
    if (controllers.empty()) {
      here = smallest_quota(mount, path, quota_v2);
    } else if (has_word(controllers, "cpu")) {
      here = smallest_quota(mount + "/" + controllers, path, quota_v1);
      if (here == 0) here = smallest_quota(mount + "/cpu", path, quota_v1);
    }
    if (here > 0 && (smallest == 0 || here < smallest)) smallest = here;
  }
  return smallest;
}

int default_thread_count(const std::string& root) {
  const int cores = std::max(1, static_cast<int>(allowed_cores(root).size()));
  const double quota = cgroup_cpu_quota(root);
  if (quota <= 0 || quota >= cores) return cores;
  return std::max(1, static_cast<int>(std::ceil(quota)));
}

}  // namespace tessera
