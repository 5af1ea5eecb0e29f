#include "compress/float_model.h"

#include <nlohmann/json.hpp>

#include "compress/smooth/smooth_model.h"
#include "formats/compressed_tensors/config.h"
#include "models/architecture.h"

namespace tessera::compress {

Result<FloatModel> open_float_model(const QuantizeOptions& options) {
  FloatModel model;
  model.directory = TRY(formats::open_model_dir(options.model_path));
  const nlohmann::json& config = model.directory.config;
  if (formats::compressed_tensors::find_config(config) != nullptr) {
    return invalid_argument(
        "{}/config.json: quantization_config is present, expected a float model to quantize",
        options.model_path);
  }
  model.files = TRY(formats::open_safetensors_dir(options.model_path));
  model.reader = TRY(formats::open_weight_reader(config, options.model_path, *model.files));
  if (model.reader->format_name() != "none") {
    return invalid_argument("{}: weights of format {}, expected a float model to quantize",
                            options.model_path, model.reader->format_name());
  }
  const auto tied = config.find("tie_word_embeddings");
  model.tied = tied != config.end() && *tied == true;
  if (!options.needs_calibration() && !options.rotate && !options.automatic) return model;
  model.config = TRY(models::parse_model_config(config));
  if (options.smooth || options.awq) {
    QuantizeOptions scaling = options;
    if (options.automatic) scaling.scheme = options.automatic->low;  // what needs it most
    model.scaled = TRY(smooth_model(*model.files, *model.reader, *model.config, scaling));
    model.reader = TRY(open_rotated_reader(*model.scaled, {}));
  }
  if (options.rotate) {
    model.rotated = TRY(RotatedSource::make(model.source(), *model.config, *options.rotate));
    model.online.down_block = model.rotated->down_block();
    // The largest power of two that divides it.
    if (options.rotate->online && options.int8_cache)
      model.online.head_block = model.config->head_dim & -model.config->head_dim;
    model.reader = TRY(open_rotated_reader(*model.rotated, model.online));
    model.config->tied_embeddings = model.tied = false;
    model.directory.config["tie_word_embeddings"] = false;
  }
  return model;
}

Result<QuantizePlan> plan_model(const FloatModel& model, const QuantizeOptions& options) {
  QuantizePlan plan = TRY(plan_quantization(model.source(), model.tied, options));
  if (&model.source() != model.files.get())
    plan.float_dtype = model.files->find(plan.linears.front().name + ".weight")->dtype;
  return plan;
}

}  // namespace tessera::compress
