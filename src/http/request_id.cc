#include "http/request_id.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <random>

namespace tessera::http {

std::string new_request_id() {
  // Ids need to differ, not to be secret.
  thread_local std::mt19937_64 random = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  return fmt::format("{:016x}{:016x}", static_cast<uint64_t>(random()), static_cast<uint64_t>(random()));
}

std::string usable_request_id(std::string_view given) {
  const auto usable = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '.' || c == ':';
  };
  if (!given.empty() && given.size() <= 128 && std::all_of(given.begin(), given.end(), usable)) {
    return std::string(given);
  }
  return new_request_id();
}

}  // namespace tessera::http
