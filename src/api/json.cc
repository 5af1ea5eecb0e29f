#include "api/json.h"

#include "formats/json_limits.h"

namespace tessera::api {

Result<Json> parse_body(std::string_view body) {
  // A prompt of 2 million token ids is beyond every model here.
  const formats::JsonLimits limits{
      .max_bytes = kMaxBodyBytes, .max_depth = kMaxJsonDepth, .max_values = 2'000'000};
  auto json = formats::parse_json(body, "request body", limits);
  if (!json) return Error(ErrorCode::kInvalidArgument, json.error().message());
  if (!json->is_object()) {
    return invalid_argument("request body: is {}, expected a JSON object", json->type_name());
  }
  return std::move(*json);
}

std::string dump(const OrderedJson& value) {
  return value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

std::string event(const OrderedJson& value) {
  return "data: " + dump(value) + "\n\n";
}

}  // namespace tessera::api
