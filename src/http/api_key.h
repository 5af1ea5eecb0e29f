// The check of `Authorization: Bearer KEY`. Constant-time: neither the position of the first wrong byte nor
// the key's length shows in the time it takes. Thread-safe.
#pragma once

#include <string_view>

namespace tessera::http {

/// Whether the header's value is "Bearer " (any case) and the key.
bool bearer_matches(std::string_view authorization, std::string_view key);

}  // namespace tessera::http
