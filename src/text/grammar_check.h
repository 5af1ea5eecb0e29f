// Says whether a constraint on the answer (JSON schema, regular expression, Lark grammar) can be honoured, by
// compiling it with llguidance. The token masks themselves belong to the grammar layer. Thread-safe.
#pragma once

#include <string_view>

#include "base/result.h"

namespace tessera::text {

/// `kind`: "json_schema", "regex" or "lark". kInvalidArgument says what in `source` cannot be honoured.
Status check_grammar(std::string_view kind, std::string_view source);

}  // namespace tessera::text
