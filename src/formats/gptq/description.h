// Where a directory of GPTQ or AutoAWQ describes itself: quantization_config of config.json, or in older ones
// a file of its own. Pure functions; thread-safe.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tessera::formats::gptq {

struct Description {
  nlohmann::json fields;  // an object
  std::string where;      // opens every message: "config.json: quantization_config", "quantize_config.json"
};

/// The description if its method is `method` ("gptq", "awq"). config.json has the first word; without a
/// quantization_config, quantize_config.json or quant_config.json of the directory, which in old files name
/// no method: then it is known by its keys. nullopt when there is none or its method is another one; an error
/// when such a file cannot be read.
Result<std::optional<Description>> find_description(const nlohmann::json& config,
                                                    const std::string& directory, std::string_view method);

}  // namespace tessera::formats::gptq
