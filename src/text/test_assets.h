// Where tests find files that are too large for the tree. For tests only.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace tessera::text {

/// ${TESSERA_TEST_ASSETS:-${XDG_CACHE_HOME:-~/.cache}/tessera/test-assets}/NAME, which
/// tools/fetch_test_assets fills.
inline std::filesystem::path test_asset(const std::string& name) {
  const auto environment = [](const char* key) {
    const char* value = std::getenv(key);
    return std::filesystem::path(value ? value : "");
  };
  if (const auto folder = environment("TESSERA_TEST_ASSETS"); !folder.empty()) return folder / name;
  auto cache = environment("XDG_CACHE_HOME");
  if (cache.empty()) cache = environment("HOME") / ".cache";
  return cache / "tessera/test-assets" / name;
}

/// True when a test must do without `path`: it has then failed or, with TESSERA_ALLOW_MISSING_ASSETS=1, is to
/// be skipped.
inline bool asset_is_missing(const std::filesystem::path& path) {
  if (std::filesystem::exists(path)) return false;
  const char* allowed = std::getenv("TESSERA_ALLOW_MISSING_ASSETS");
  if (!allowed || std::string(allowed) != "1")
    ADD_FAILURE() << path
                  << " is missing; run tools/fetch_test_assets (or set TESSERA_ALLOW_MISSING_ASSETS=1)";
  return true;
}

}  // namespace tessera::text
