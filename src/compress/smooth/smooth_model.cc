#include "compress/smooth/smooth_model.h"

#include "compress/awq/awq_rule.h"
#include "compress/smooth/channel_scales.h"

namespace tessera::compress {
namespace {

Status check_options(const QuantizeOptions& options) {
  if (options.smooth && options.awq)
    return invalid_argument("--smooth with --awq, which scale the same channels: expected one of them");
  if (options.awq && options.rotate) {
    return invalid_argument(
        "--awq with --rotate, which leaves no channels to tell apart: expected --smooth with it, or none");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<ScaledSource>> smooth_model(const formats::TensorSource& source,
                                                   const formats::WeightReader& reader,
                                                   const models::ModelConfig& config,
                                                   const QuantizeOptions& options) {
  TRY_STATUS(check_options(options));
  const QuantizePlan plan = TRY(plan_quantization(source, config.tied_embeddings, options));
  const std::vector<LinearToRound> linears = linears_of_layers(plan);
  const CalibrationData data =
      TRY(read_calibration(options.model_path, options.calibration, config.max_position));
  ThreadPool pool(options.threads > 0 ? options.threads : default_thread_count());
  ChannelSearch search{.source = source, .reader = reader, .config = config, .norms = !options.rotate};
  std::vector<ScaledFold> folds;
  if (options.smooth) {
    folds = TRY(find_channel_scales(search, linears, data, pool, smooth_rule(source, *options.smooth)));
  } else {
    const auto algebra = TRY(DenseAlgebra::open(pool.size()));
    const quant::Rounding rounding{.scale_dtype = plan.linears.front().source->dtype, .clip = options.clip};
    search.rows = kAwqRows;
    folds = TRY(find_channel_scales(search, linears, data, pool, awq_rule(source, rounding, *algebra, pool)));
  }
  return ScaledSource::make(source, std::move(folds));
}

}  // namespace tessera::compress
