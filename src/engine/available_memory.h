// How much memory this process may still take.
#pragma once

#include <cstdint>
#include <filesystem>

namespace tessera::engine {

/// Bytes: the kernel's MemAvailable, or less where a control group (v2, or v1's root) leaves less; file cache
/// counts as free. 0 when /proc cannot be read. `root` is for tests.
uint64_t available_memory_bytes(const std::filesystem::path& root = "/");

}  // namespace tessera::engine
