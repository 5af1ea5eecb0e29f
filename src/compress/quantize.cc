#include "compress/quantize.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <unordered_map>

#include "base/file.h"
#include "base/progress.h"
#include "compress/auto/auto_report.h"
#include "compress/auto/auto_scheme.h"
#include "compress/auto/units.h"
#include "compress/calibrate/calibrated_rounding.h"
#include "compress/checkpoint_writer.h"
#include "compress/float_model.h"
#include "compress/journal.h"
#include "compress/options_text.h"
#include "compress/output_directory.h"
#include "compress/rotate/rotated_reader.h"
#include "formats/json_limits.h"
#include "formats/weight_format.h"

namespace tessera::compress {
namespace {

using formats::SafetensorsWriter;
using formats::TensorInfo;

bool is_in_a_layer(const QuantizedLinear& linear) {
  return linear.name.find(".layers.") != std::string::npos;
}

/// What GPTQ needs beside the model.
struct Calibration {
  CalibrationData data;
  std::unique_ptr<DenseAlgebra> algebra;
};

/// Before anything is written.
Result<Calibration> open_calibration(const models::ModelConfig& config, const QuantizeOptions& options,
                                     int threads) {
  return Calibration{
      .data = TRY(read_calibration(options.model_path, options.calibration, config.max_position)),
      .algebra = TRY(DenseAlgebra::open(threads))};
}

/// The linears of decoder layers by GPTQ.
Result<CalibrationSummary> write_calibrated(const FloatModel& model, const QuantizePlan& plan,
                                            const QuantizeOptions& options, const Calibration& calibration,
                                            CheckpointWriter& writer, Journal& journal, ThreadPool& pool) {
  std::unordered_map<std::string, size_t> indices;
  for (size_t i = 0; i < plan.linears.size(); ++i) {
    const QuantizedLinear& linear = plan.linears[i];
    if (is_in_a_layer(linear) && layer_of(linear.name) < journal.layers()) writer.take_as_written(i);
    indices.emplace(linear.name, i);
  }
  const CalibratedOptions rules{.rounding = {.scale_dtype = writer.scale_dtype(), .clip = options.clip}};
  CalibratedRounding rounding(model.source(), *model.reader, *model.config, rules, *calibration.algebra,
                              pool);
  return rounding.run(linears_of_layers(plan), calibration.data, journal,
                      [&](const std::string& name, const RoundedLinear& rounded) {
                        return writer.write(indices.at(name), rounded);
                      });
}

/// Everything that no calibration has written.
Status write_plainly(const QuantizePlan& plan, bool layers_too, CheckpointWriter& writer, Journal& journal) {
  uint64_t total = 0;
  for (const QuantizedLinear& linear : plan.linears)
    total += linear.source->bytes;
  for (const TensorInfo* copy : plan.copies)
    total += copy->bytes;
  Progress progress("quantizing", total);
  size_t step = 0;
  const auto advance = [&](uint64_t bytes, const std::string& name) -> Status {
    progress.advance(bytes, name);
    return ++step > journal.steps() ? journal.save_steps(step) : Status();
  };
  for (size_t i = 0; i < plan.linears.size(); ++i) {
    const QuantizedLinear& linear = plan.linears[i];
    const bool mine = layers_too || !is_in_a_layer(linear);
    if (mine && step < journal.steps()) {
      writer.take_as_written(i);
    } else if (mine) {
      TRY_STATUS(writer.round(i));
    }
    TRY_STATUS(advance(linear.source->bytes, linear.name));
  }
  for (const TensorInfo* copy : plan.copies) {
    if (step < journal.steps()) {
      writer.take_as_written(*copy);
    } else {
      TRY_STATUS(writer.copy(*copy));
    }
    TRY_STATUS(advance(copy->bytes, copy->name));
  }
  return {};
}

QuantizeSummary summarize(const QuantizePlan& plan, const OutputSpecs& output, uint64_t total_bytes) {
  QuantizeSummary summary;
  summary.linears = plan.linears.size();
  summary.total_bytes = total_bytes;
  for (size_t i = 0; i < output.first.back(); ++i) {
    summary.linear_bytes +=
        static_cast<uint64_t>(output.specs[i].shape.numel()) * dtype_size(output.specs[i].dtype);
  }
  for (const QuantizedLinear& linear : plan.linears)
    summary.source_linear_bytes += linear.source->bytes;
  return summary;
}

const OutputFormat& output_format(const QuantizeOptions& options) {
  return options.format == kModelSlimOutput.name ? kModelSlimOutput : kCompressedTensorsOutput;
}

/// Weights and what belongs to them.
Result<QuantizeSummary> write_checkpoint(FloatModel& model, const QuantizePlan& plan,
                                         const QuantizeOptions& options,
                                         const std::optional<Calibration>& calibration, Journal& journal,
                                         ThreadPool& pool) {
  const OutputFormat& format = output_format(options);
  const OutputSpecs output = format.specs(plan);
  auto file = TRY(SafetensorsWriter::go_on(options.output, output.specs,
                                           SafetensorsWriter::kDefaultShardBytes, format.weights_stem));
  journal.set_sync([&file] { return file.sync(); });
  const auto writer = format.open({model.source(), plan, output, options.clip, pool, file});
  CalibrationSummary seen;
  if (calibration) seen = TRY(write_calibrated(model, plan, options, *calibration, *writer, journal, pool));
  TRY_STATUS(write_plainly(plan, !calibration, *writer, journal));
  TRY_STATUS(journal.forget());
  TRY_STATUS(file.commit());
  QuantizeSummary summary = summarize(plan, output, file.total_bytes());
  summary.calibration = std::move(seen);
  TRY_STATUS(format.finish(plan, output, model.directory.config, options.output));
  return summary;
}

Status write_config(FloatModel& model, const QuantizePlan& plan, const std::filesystem::path& output) {
  if (plan.untie) model.directory.config["tie_word_embeddings"] = false;
  const std::string text = TRY(formats::dump_json(model.directory.config, "config.json"));
  return write_text_file(output / "config.json", text + "\n");
}

Status check_format(const QuantizeOptions& options) {
  if (options.format == "compressed-tensors") return {};
  if (options.format != "modelslim")
    return invalid_argument("--format={}, expected compressed-tensors or modelslim", options.format);
  if (options.automatic)
    return unsupported("--scheme=auto with --format=modelslim, expected compressed-tensors");
  if (options.rotate && options.rotate->online) {
    return unsupported(
        "--rotate=online with --format=modelslim, which has no transforms of inputs: expected hadamard");
  }
  if (options.activation_group != 0) {
    return unsupported("--activation-group={} with --format=modelslim, expected 0 (a scale per token)",
                       options.activation_group);
  }
  if (options.activation_clip != 1) {
    return unsupported(
        "--activation-clip={} with --format=modelslim, whose operators divide by 7: expected 1",
        options.activation_clip);
  }
  if (options.int8_cache)
    return unsupported("--kv-cache=int8 with --format=modelslim, expected compressed-tensors");
  if (options.storage)
    return invalid_argument("--storage with --format=modelslim, which has one form: expected none");
  return {};
}

/// What `--scheme auto` comes to, kept in the directory: an interrupted run does not measure again.
Result<AutoReport> choose(const FloatModel& model, QuantizeOptions options,
                          const std::filesystem::path& file) {
  const auto settings = sensitivity_settings(options);
  if (std::filesystem::exists(file)) options.automatic->sensitivity = file;
  const auto keep = [&](const AutoReport& report) -> Status {
    const std::string text = TRY(formats::dump_json(to_json(report, settings), file.string()));
    return write_text_file(file, text + "\n");
  };
  AutoReport report = TRY(choose_schemes(model, options, keep));
  TRY_STATUS(keep(report));
  return report;
}

}  // namespace

Result<QuantizeSummary> quantize_directory(const QuantizeOptions& given) {
  TRY_STATUS(check_format(given));
  FloatModel model = TRY(open_float_model(given));
  ThreadPool pool(given.threads > 0 ? given.threads : default_thread_count());
  // What can be refused is, before the directory is touched.
  std::optional<QuantizePlan> plan;
  if (!given.automatic) plan = TRY(plan_model(model, given));
  if (plan) static_cast<void>(TRY(output_format(given).schemes(*plan)));
  std::optional<Calibration> calibration;
  if (given.method == Method::kGptq) calibration = TRY(open_calibration(*model.config, given, pool.size()));
  Journal journal = TRY(Journal::open(given));
  QuantizeOptions options = given;
  std::optional<AutoReport> choice;
  if (given.automatic) {
    choice = TRY(choose(model, given, journal.sensitivity_file()));
    options = with_choice(given, *choice);
    plan = TRY(plan_model(model, options));
  }
  plan->config.transforms = online_transforms(model.online);
  QuantizeSummary summary = TRY(write_checkpoint(model, *plan, options, calibration, journal, pool));
  summary.format = options.format == kModelSlimOutput.name ? options.format : plan->config.format;
  summary.schemes = TRY(output_format(options).schemes(*plan));
  summary.choice = std::move(choice);
  TRY_STATUS(copy_side_files(options.model_path, options.output));
  TRY_STATUS(write_config(model, *plan, options.output));
  TRY_STATUS(journal.finish());
  return summary;
}

}  // namespace tessera::compress
