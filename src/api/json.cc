#include "api/json.h"

#include "formats/json_limits.h"

namespace tessera::api {

Result<Json> parse_value(std::string_view text, std::string_view name, const Limits& limits) {
  // A prompt of 2 million token ids is beyond every model here.
  const formats::JsonLimits json_limits{
      .max_bytes = limits.body_bytes, .max_depth = limits.json_depth, .max_values = 2'000'000};
  const auto checked = formats::parse_json(text, name, json_limits);
  if (!checked) return Error(ErrorCode::kInvalidArgument, checked.error().message());
  // Once more for the order of the members, which the checked value has lost; it cannot fail now.
  return Json::parse(text, nullptr, false);
}

Result<Json> parse_body(std::string_view body, const Limits& limits) {
  Json json = TRY(parse_value(body, "request body", limits));
  if (!json.is_object()) {
    return invalid_argument("request body: is {}, expected a JSON object", json.type_name());
  }
  return json;
}

std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string event(const Json& value) {
  return "data: " + dump(value) + "\n\n";
}

}  // namespace tessera::api
