// Ids that tie a log line, a response header and an answer together.
#pragma once

#include <string>
#include <string_view>

namespace tessera::http {

/// 32 random hexadecimal digits. Thread-safe.
std::string new_request_id();

/// `given` if it can stand in a header and a log line (1 to 128 letters, digits or any of -_.:), else a new
/// id.
std::string usable_request_id(std::string_view given);

}  // namespace tessera::http
