#include "text/grammar_check.h"

#include "text/textkit_call.h"

namespace tessera::text {

Status check_grammar(std::string_view kind, std::string_view source) {
  RustBytes error;
  return status_of(tk_grammar_check(kind.data(), kind.size(), source.data(), source.size(), error.slot()),
                   error, ErrorCode::kInvalidArgument);
}

}  // namespace tessera::text
