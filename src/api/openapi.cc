#include "api/openapi.h"

#include "api/json.h"
#include "base/check.h"

namespace tessera::api {
namespace {

Json error_answers(bool native) {
  const std::string_view schema = native ? "NativeError" : "OpenAiError";
  Json answers = Json::object();
  const std::pair<const char*, const char*> kinds[] = {
      {"400", "The request is wrong, or asks for something that is not supported"},
      {"401", "An API key is needed"},
      {"404", "There is no such thing"},
      {"408", "The request did not arrive in time"},
      {"413", "The request is too large"},
      {"415", "The body is compressed"},
      {"429", "Too much waits already: try again after Retry-After seconds"},
      {"500", "The server failed, its log says why"},
      {"503", "The server is shutting down, its engine does not answer, or the request waited too long"}};
  for (const auto& [status, text] : kinds) {
    answers[status] = {
        {"description", text},
        {"content",
         {{"application/json", {{"schema", {{"$ref", fmt::format("#/components/schemas/{}", schema)}}}}}}}};
  }
  return answers;
}

/// `all[name]`, with what "$same" stands for in its place.
Json operations_of(const Json& all, const std::string& name) {
  Json operations = all[name].contains("$same") ? all[all[name]["$same"].get<std::string>()] : all[name];
  for (auto& [method, operation] : operations.items()) {
    if (!operation.contains("$same")) continue;
    const auto other = operation["$same"].get<std::string>();
    operation = Json(operations[other]);
  }
  return operations;
}

/// The errors that every operation may answer with, beside its own answers.
void add_errors(Json& operations, bool native) {
  const Json errors = error_answers(native);
  for (auto& [method, operation] : operations.items()) {
    for (const auto& [status, answer] : errors.items()) {
      if (!operation["responses"].contains(status)) operation["responses"][status] = answer;
    }
  }
}

}  // namespace

std::string openapi(std::span<const std::string> paths, std::string_view version) {
  const Json all = Json::parse(openapi_paths());
  Json described = Json::object();
  for (const std::string& path : paths) {
    const std::string name = path.ends_with('/') && path.size() > 1 ? path + "{id}" : path;
    CHECK(all.contains(name), "{} is served and not described", name);
    described[name] = operations_of(all, name);
    add_errors(described[name], !path.starts_with("/v1/"));
  }
  const Json scheme = {{"type", "http"}, {"scheme", "bearer"}};
  return dump(
      {{"openapi", "3.1.0"},
       {"info",
        {{"title", "Tessera"},
         {"version", version},
         {"description",
          "OpenAI's API and SGLang's native one. Unknown fields are ignored, null is "
          "the same as an absent field."}}},
       {"paths", std::move(described)},
       {"components", {{"schemas", Json::parse(openapi_schemas())}, {"securitySchemes", {{"key", scheme}}}}},
       {"security", Json::array({{{"key", Json::array()}}, Json::object()})}});
}

}  // namespace tessera::api
