#include "engine/available_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

namespace tessera::engine {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kUnlimited = std::numeric_limits<uint64_t>::max();

/// The number after `key` in a file of lines "KEY NUMBER ...".
std::optional<uint64_t> find_number(const fs::path& file, const std::string& key) {
  std::ifstream in(file);
  std::string word;
  for (uint64_t value = 0; in >> word;) {
    if (word == key && in >> value) return value;
    in.clear();
    in.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return std::nullopt;
}

/// A file of one number; "max" (no limit) has none.
std::optional<uint64_t> read_number(const fs::path& file) {
  std::ifstream in(file);
  uint64_t value = 0;
  if (in >> value) return value;
  return std::nullopt;
}

uint64_t left_in_group(const fs::path& group, const char* limit_file, const char* use_file,
                       const char* cache_key) {
  const auto limit = read_number(group / limit_file);
  const auto used = read_number(group / use_file);
  if (!limit || !used) return kUnlimited;
  const uint64_t cache = find_number(group / "memory.stat", cache_key).value_or(0);
  const uint64_t held = *used > cache ? *used - cache : 0;
  return *limit > held ? *limit - held : 0;
}

/// Of the process's own group and all above it.
uint64_t left_in_groups(const fs::path& root) {
  const fs::path top = root / "sys/fs/cgroup";
  uint64_t left =
      left_in_group(top / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file");
  std::string own;
  std::ifstream in(root / "proc/self/cgroup");
  while (std::getline(in, own) && !own.starts_with("0::/")) {
  }
  fs::path relative = own.starts_with("0::/") ? fs::path(own.substr(4)) : fs::path();
  for (;; relative = relative.parent_path()) {
    left = std::min(left, left_in_group(top / relative, "memory.max", "memory.current", "inactive_file"));
    if (relative.empty()) return left;
  }
}

}  // namespace

uint64_t available_memory_bytes(const fs::path& root) {
  const auto kilobytes = find_number(root / "proc/meminfo", "MemAvailable:");
  if (!kilobytes) return 0;
  return std::min(*kilobytes * 1024, left_in_groups(root));
}

}  // namespace tessera::engine
