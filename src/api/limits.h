// How much one request may ask for; more is refused with status 400.
#pragma once

#include <cstddef>

namespace tessera::api {

struct Limits {
  size_t body_bytes = size_t{16} << 20;
  size_t json_depth = 64;
  size_t messages = 4096;  // of a chat
  size_t prompts = 256;    // answers of one request: prompts times n
  size_t inputs = 1024;    // of one request for embeddings: as many as may wait by default
};

}  // namespace tessera::api
