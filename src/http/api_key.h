// The check of `Authorization: Bearer KEY` against the keys that are good. Constant-time: neither the
// position of the first wrong byte, nor a key's length, nor which key matched shows in the time it takes.
// Thread-safe.
#pragma once

#include <openssl/sha.h>

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tessera::http {

class ApiKeys {
 public:
  ApiKeys() = default;
  /// Keeps their digests. Empty keys are left out.
  explicit ApiKeys(std::span<const std::string> keys);

  bool empty() const { return digests_.empty(); }

  /// Whether the header's value is "Bearer " (any case) and one of the keys.
  bool match(std::string_view authorization) const;

 private:
  using Digest = std::array<unsigned char, SHA256_DIGEST_LENGTH>;
  std::vector<Digest> digests_;
};

/// The keys of a file: one a line, blank lines and lines that begin with # left out. kNotFound, or
/// kInvalidArgument if none is in it.
Result<std::vector<std::string>> read_api_keys(const std::string& path);

}  // namespace tessera::http
