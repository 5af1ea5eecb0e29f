#include "http/api_key.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "http/message.h"

namespace tessera::http {

bool bearer_matches(std::string_view authorization, std::string_view key) {
  constexpr std::string_view kScheme = "Bearer ";
  if (authorization.size() < kScheme.size() ||
      !equals_ignoring_case(authorization.substr(0, kScheme.size()), kScheme)) {
    return false;
  }
  const std::string_view given = authorization.substr(kScheme.size());
  // Digests are of one length, so the comparison tells nothing about the key's.
  unsigned char given_digest[SHA256_DIGEST_LENGTH];
  unsigned char key_digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(given.data()), given.size(), given_digest);
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), key_digest);
  return CRYPTO_memcmp(given_digest, key_digest, sizeof key_digest) == 0;
}

}  // namespace tessera::http
