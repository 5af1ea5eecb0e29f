// The server's own description of its HTTP interface, OpenAPI 3.1, for /openapi.json. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tessera::api {

/// Describes `paths`, those of the routes that are served ("/v1/models/" takes everything below it). CHECKs
/// that there is a description of each.
std::string openapi(std::span<const std::string> paths, std::string_view version);

/// The parts, as JSON text: path -> operations, and schemas by name.
std::string_view openapi_paths();
std::string_view openapi_schemas();

}  // namespace tessera::api
