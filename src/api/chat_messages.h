// The `messages` of a chat request, checked and put into the form that chat templates expect. Pure.
#pragma once

#include "api/fields.h"

namespace tessera::api {

/// Content lists of text parts become one string, null content an empty one, and the arguments of earlier
/// tool calls are parsed (templates iterate over them); all else stays as sent. kInvalidArgument names the
/// message by its index.
Result<Json> normalise_messages(const Json& messages, const Limits& limits);

}  // namespace tessera::api
