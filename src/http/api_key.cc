#include "http/api_key.h"

#include <openssl/crypto.h>

#include <fstream>

#include "http/message.h"

namespace tessera::http {

ApiKeys::ApiKeys(std::span<const std::string> keys) {
  for (const std::string& key : keys) {
    if (key.empty()) continue;
    SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digests_.emplace_back().data());
  }
}

bool ApiKeys::match(std::string_view authorization) const {
  constexpr std::string_view kScheme = "Bearer ";
  if (authorization.size() < kScheme.size() ||
      !equals_ignoring_case(authorization.substr(0, kScheme.size()), kScheme)) {
    return false;
  }
  const std::string_view given = authorization.substr(kScheme.size());
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(given.data()), given.size(), digest.data());
  bool matched = false;
  for (const Digest& good : digests_)  // all of them, whichever matches
    matched |= CRYPTO_memcmp(digest.data(), good.data(), good.size()) == 0;
  return matched;
}

Result<std::vector<std::string>> read_api_keys(const std::string& path) {
  std::ifstream file(path);
  if (!file) return not_found("{}: cannot be read, expected a file with an API key on each line", path);
  std::vector<std::string> keys;
  for (std::string line; std::getline(file, line);) {
    const size_t begin = line.find_first_not_of(" \t\r");
    if (begin == line.npos || line[begin] == '#') continue;
    keys.push_back(line.substr(begin, line.find_last_not_of(" \t\r") - begin + 1));
  }
  if (keys.empty()) return invalid_argument("{}: has no key, expected one on each line", path);
  return keys;
}

}  // namespace tessera::http
