#include "formats/gptq/description.h"

#include <array>
#include <filesystem>

#include "formats/compressed_tensors/config.h"
#include "formats/hf/model_dir.h"

namespace tessera::formats::gptq {
namespace {

using nlohmann::json;

constexpr std::array kFiles = {"quantize_config.json", "quant_config.json"};

/// Empty when it names none.
std::string named_method(const json& fields) {
  const auto method = fields.find("quant_method");
  return method != fields.end() && method->is_string() ? method->get<std::string>() : "";
}

/// Of a file that may be older than the key quant_method.
std::string method_of(const json& fields) {
  auto method = named_method(fields);
  if (!method.empty()) return method;
  if (fields.contains("zero_point")) return "awq";
  return fields.contains("bits") && fields.contains("group_size") ? "gptq" : "";
}

}  // namespace

Result<std::optional<Description>> find_description(const json& config, const std::string& directory,
                                                    std::string_view method) {
  if (const json* found = compressed_tensors::find_config(config); found != nullptr) {
    if (!found->is_object() || named_method(*found) != method) return std::optional<Description>();
    return std::optional(Description{*found, "config.json: quantization_config"});
  }
  for (const char* file : kFiles) {
    std::error_code error;
    if (!std::filesystem::exists(std::filesystem::path(directory) / file, error)) continue;
    json fields = TRY(read_json_object(directory, file));
    if (method_of(fields) == method) return std::optional(Description{std::move(fields), file});
  }
  return std::optional<Description>();
}

}  // namespace tessera::formats::gptq
