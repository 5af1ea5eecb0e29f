#include "api/abort.h"

#include "api/fields.h"
#include "api/json.h"

namespace tessera::api {

Result<Abort> parse_abort(std::string_view body, const Limits& limits) {
  const Json json = TRY(parse_body(body, limits));
  const Fields fields(json);
  Abort abort;
  abort.all = TRY(fields.boolean("abort_all", false));
  const auto rid = TRY(fields.string("rid"));
  abort.rid = rid.value_or("");
  if (!abort.all && abort.rid.empty())
    return fields.wrong("rid", "the name of a request, or abort_all: true");
  return abort;
}

}  // namespace tessera::api
