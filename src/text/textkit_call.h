// Private to src/text: what every call over the C ABI of rust/textkit shares. Memory made on the Rust side is
// freed there, and a tk_status becomes an Error.
#pragma once

#include <textkit.h>

#include <span>
#include <string>

#include "base/result.h"

namespace tessera::text {

/// Output slot for tk_bytes; frees what it holds.
class RustBytes {
 public:
  RustBytes() = default;
  RustBytes(const RustBytes&) = delete;
  RustBytes& operator=(const RustBytes&) = delete;
  ~RustBytes() {
    if (bytes_.data) tk_bytes_free(bytes_);
  }
  tk_bytes* slot() { return &bytes_; }
  std::string text() const { return {reinterpret_cast<const char*>(bytes_.data), bytes_.size}; }

 private:
  tk_bytes bytes_{nullptr, 0};
};

/// Output slot for tk_ids; frees what it holds.
class RustIds {
 public:
  RustIds() = default;
  RustIds(const RustIds&) = delete;
  RustIds& operator=(const RustIds&) = delete;
  ~RustIds() {
    if (ids_.data) tk_ids_free(ids_);
  }
  tk_ids* slot() { return &ids_; }
  std::span<const uint32_t> ids() const { return {ids_.data, ids_.size}; }

 private:
  tk_ids ids_{nullptr, 0};
};

/// The outcome of a call: `invalid` is the code for input that the Rust side refuses.
inline Status status_of(tk_status status, const RustBytes& error, ErrorCode invalid) {
  switch (status) {
    case TK_OK:
      return {};
    case TK_INVALID:
      return Error(invalid, error.text());
    case TK_LIMIT:
      return Error(ErrorCode::kResourceExhausted, error.text());
    case TK_PANIC:
      break;
  }
  return internal_error("textkit: {}", error.text());
}

}  // namespace tessera::text
