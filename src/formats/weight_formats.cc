// The explicit table of weight formats.
#include <array>
#include <nlohmann/json.hpp>

#include "formats/awq/format.h"
#include "formats/compressed_tensors/config.h"
#include "formats/compressed_tensors/reader.h"
#include "formats/float_weights.h"
#include "formats/gptq/format.h"
#include "formats/modelslim/reader.h"
#include "formats/weight_format.h"

namespace tessera::formats {

std::span<const WeightFormat* const> weight_formats() {
  // ModelSlim is known by a file of its own, whatever config.json has kept from the model it was made of.
  static constexpr std::array<const WeightFormat*, 5> kFormats = {
      &modelslim::kFormat, &compressed_tensors::kFormat, &gptq::kFormat, &awq::kFormat, &kFloatWeights};
  return kFormats;
}

Result<std::unique_ptr<WeightReader>> open_weight_reader(const nlohmann::json& config,
                                                         const std::string& directory,
                                                         const TensorSource& source) {
  for (const WeightFormat* format : weight_formats()) {
    if (format->matches(config, directory)) return format->open(config, directory, source);
  }
  const nlohmann::json* found = compressed_tensors::find_config(config);
  const bool named = found != nullptr && found->is_object() && found->contains("quant_method");
  std::string method =
      named ? (*found)["quant_method"].dump(-1, ' ', true, nlohmann::json::error_handler_t::replace)
            : "no quant_method";
  return unsupported(
      "config.json: quantization_config has {}, expected \"compressed-tensors\", \"gptq\", \"awq\" or no "
      "quantization_config (ModelSlim is known by quant_model_description.json)",
      named ? "quant_method=" + method.substr(0, 80) : method);
}

}  // namespace tessera::formats
