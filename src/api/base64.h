// Base64 (RFC 4648, section 4, with padding), for numbers in JSON. Pure.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace tessera::api {

std::string base64(std::span<const std::byte> bytes);

}  // namespace tessera::api
