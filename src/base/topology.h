// Topology: the processors this process may use, by physical core, and how much of them its cgroup grants.
// Linux; read from files under `root`, which tests replace. Stateless and thread-safe.
#pragma once

#include <string>
#include <vector>

namespace tessera {

/// Logical CPUs of one physical core that the affinity mask allows, ascending.
using CoreCpus = std::vector<int>;

/// Allowed cores, by their first CPU. Never empty: where the system says nothing, every allowed CPU is a
/// core.
std::vector<CoreCpus> allowed_cores(const std::string& root = "");

/// CPUs that the quotas of this process's cgroup and of all above it grant (v2 cpu.max, v1 cpu.cfs_quota_us),
/// the smallest of them; 0 = no quota. A fraction: 1.5 = one and a half.
double cgroup_cpu_quota(const std::string& root = "");

/// Threads for work that keeps every core busy: one per allowed core (a second hyperthread adds nothing to
/// loops that fill the vector units), at most the quota rounded up, at least 1.
int default_thread_count(const std::string& root = "");

}  // namespace tessera
