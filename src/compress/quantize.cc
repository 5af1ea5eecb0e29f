#include "compress/quantize.h"

#include <algorithm>
#include <array>
#include <cstring>
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
#include "compress/float_model.h"
#include "compress/journal.h"
#include "compress/options_text.h"
#include "compress/output_directory.h"
#include "compress/quantize_modelslim.h"
#include "compress/rotate/rotated_reader.h"
#include "compress/rtn.h"
#include "formats/json_limits.h"
#include "formats/weight_format.h"

namespace tessera::compress {
namespace {

using formats::SafetensorsWriter;
using formats::TensorInfo;
using formats::TensorSource;
using formats::TensorSpec;
using formats::compressed_tensors::linear_specs;

/// All tensors of the output; those of linear i are specs [first[i], first[i + 1]).
struct OutputSpecs {
  std::vector<TensorSpec> specs;
  std::vector<size_t> first;
};

OutputSpecs output_specs(const QuantizePlan& plan) {
  OutputSpecs result;
  for (const QuantizedLinear& linear : plan.linears) {
    const PlannedPart& part = plan.parts[linear.part];
    result.first.push_back(result.specs.size());
    auto specs = linear_specs(linear.name, linear.out, linear.in, part.weight,
                              stored_dtype(plan, linear.source->dtype), part.storage);
    std::ranges::move(specs, std::back_inserter(result.specs));
  }
  result.first.push_back(result.specs.size());
  for (const TensorInfo* copy : plan.copies)
    result.specs.push_back({copy->name, stored_dtype(plan, copy->dtype), copy->shape});
  return result;
}

/// Writes the tensors of a plan, one linear or copy at a time, in any order.
class TensorWriter {
 public:
  TensorWriter(const TensorSource& source, const QuantizePlan& plan, const OutputSpecs& output,
               quant::Clip clip, ThreadPool& pool, SafetensorsWriter& writer)
      : source_(source), plan_(plan), output_(output), clip_(clip), pool_(pool), writer_(writer) {}

  /// Linear `index` of the plan, rounded to nearest.
  Status round(size_t index) {
    const QuantizedLinear& linear = plan_.linears[index];
    const PlannedPart& part = plan_.parts[linear.part];
    const Tensor weight = TRY(source_.read(linear.source->name));
    const quant::Rounding rounding{.scale_dtype = stored_dtype(plan_, weight.dtype()), .clip = clip_};
    return write(index, TRY(encode_rtn(weight.view(), linear.source->name, part.weight, rounding,
                                       part.storage, pool_)));
  }

  Status write(size_t index, const EncodedLinear& encoded) {
    const QuantizedLinear& linear = plan_.linears[index];
    const auto specs = std::span(output_.specs)
                           .subspan(output_.first[index], output_.first[index + 1] - output_.first[index]);
    TRY_STATUS(writer_.write(specs[0].name, {encoded.weight.data(), encoded.weight.size()}));
    TRY_STATUS(writer_.write(specs[1].name, {encoded.scales.data(), encoded.scales.size()}));
    if (specs.size() < 3) return {};
    const std::array<int64_t, 2> shape = {linear.out, linear.in};
    return writer_.write(specs[2].name, std::as_bytes(std::span(shape)));
  }

  /// An earlier process did.
  Status take_as_written(size_t index) {
    for (size_t i = output_.first[index]; i < output_.first[index + 1]; ++i)
      writer_.take_as_written(output_.specs[i].name);
    return {};
  }
  Status take_as_written(const TensorInfo& info) {
    writer_.take_as_written(info.name);
    return {};
  }

  Status copy(const TensorInfo& info) {
    const Tensor tensor = TRY(source_.read(info.name));
    const DType dtype = stored_dtype(plan_, info.dtype);
    if (dtype == info.dtype) return writer_.write(info.name, {tensor.data(), tensor.bytes()});
    std::vector<float> values(static_cast<size_t>(tensor.shape().numel()));
    quant::widen(info.dtype, tensor.data(), values);
    std::vector<std::byte> narrow(values.size() * dtype_size(dtype));
    quant::narrow(values, dtype, narrow.data());
    return writer_.write(info.name, narrow);
  }

 private:
  const TensorSource& source_;
  const QuantizePlan& plan_;
  const OutputSpecs& output_;
  quant::Clip clip_;
  ThreadPool& pool_;
  SafetensorsWriter& writer_;
};

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
                                            TensorWriter& writer, Journal& journal, ThreadPool& pool) {
  std::unordered_map<std::string, size_t> indices;
  for (size_t i = 0; i < plan.linears.size(); ++i) {
    const QuantizedLinear& linear = plan.linears[i];
    if (is_in_a_layer(linear) && layer_of(linear.name) < journal.layers())
      TRY_STATUS(writer.take_as_written(i));
    indices.emplace(linear.name, i);
  }
  const CalibratedOptions rules{
      .rounding = {.scale_dtype = stored_dtype(plan, plan.linears.front().source->dtype),
                   .clip = options.clip}};
  CalibratedRounding rounding(model.source(), *model.reader, *model.config, rules, *calibration.algebra,
                              pool);
  return rounding.run(linears_of_layers(plan), calibration.data, journal,
                      [&](const std::string& name, const RoundedLinear& rounded) -> Status {
                        const size_t index = indices.at(name);
                        const QuantizedLinear& linear = plan.linears[index];
                        const PlannedPart& part = plan.parts[linear.part];
                        return writer.write(index,
                                            TRY(encode_codes(rounded, linear.out, part.weight.bits,
                                                             rules.rounding.scale_dtype, part.storage)));
                      });
}

/// Everything that no calibration has written.
Status write_plainly(const QuantizePlan& plan, bool layers_too, TensorWriter& writer, Journal& journal) {
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
    if (mine) TRY_STATUS(step < journal.steps() ? writer.take_as_written(i) : writer.round(i));
    TRY_STATUS(advance(linear.source->bytes, linear.name));
  }
  for (const TensorInfo* copy : plan.copies) {
    TRY_STATUS(step < journal.steps() ? writer.take_as_written(*copy) : writer.copy(*copy));
    TRY_STATUS(advance(copy->bytes, copy->name));
  }
  return {};
}

QuantizeSummary summarize(const QuantizePlan& plan, const OutputSpecs& output, uint64_t total_bytes) {
  QuantizeSummary summary;
  summary.linears = plan.linears.size();
  summary.total_bytes = total_bytes;
  summary.format = plan.config.format;
  for (size_t i = 0; i < output.first.back(); ++i) {
    summary.linear_bytes +=
        static_cast<uint64_t>(output.specs[i].shape.numel()) * dtype_size(output.specs[i].dtype);
  }
  for (const QuantizedLinear& linear : plan.linears)
    summary.source_linear_bytes += linear.source->bytes;
  for (const auto& group : plan.config.groups) {
    summary.schemes.push_back(formats::compressed_tensors::scheme_of(group).name());
  }
  return summary;
}

Result<QuantizeSummary> write_compressed_tensors(const FloatModel& model, const QuantizePlan& plan,
                                                 const QuantizeOptions& options,
                                                 const std::optional<Calibration>& calibration,
                                                 Journal& journal, ThreadPool& pool) {
  const OutputSpecs output = output_specs(plan);
  auto file = TRY(SafetensorsWriter::go_on(options.output, output.specs));
  journal.set_sync([&file] { return file.sync(); });
  TensorWriter writer(model.source(), plan, output, options.clip, pool, file);
  CalibrationSummary seen;
  if (calibration) seen = TRY(write_calibrated(model, plan, options, *calibration, writer, journal, pool));
  TRY_STATUS(write_plainly(plan, !calibration, writer, journal));
  TRY_STATUS(journal.forget());
  TRY_STATUS(file.commit());
  QuantizeSummary summary = summarize(plan, output, file.total_bytes());
  summary.calibration = std::move(seen);
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
  const bool plain = options.method == Method::kRtn && !options.rotate &&
                     options.clip == quant::Clip::kNone && options.activation_group == 0 &&
                     !options.automatic;
  if (!plain) {
    return unsupported(
        "--format=modelslim with --method, --clip, --rotate, --activation-group or --scheme=auto: expected "
        "compressed-tensors");
  }
  if (options.int8_cache)
    return unsupported("--format=modelslim with --kv-cache=int8, expected compressed-tensors");
  if (options.storage)
    return invalid_argument("--storage with --format=modelslim, which has one form: expected none");
  return {};
}

/// What `--scheme auto` comes to, kept in the directory: an interrupted run does not measure again.
Result<AutoReport> choose(const FloatModel& model, QuantizeOptions options,
                          const std::filesystem::path& file) {
  const auto settings = sensitivity_settings(options);
  if (std::filesystem::exists(file)) options.automatic->sensitivity = file;
  AutoReport report = TRY(choose_schemes(model, options));
  const std::string text = TRY(formats::dump_json(to_json(report, settings), file.string()));
  TRY_STATUS(write_text_file(file, text + "\n"));
  return report;
}

Result<QuantizeSummary> to_compressed_tensors(FloatModel& model, const QuantizeOptions& given) {
  ThreadPool pool(given.threads > 0 ? given.threads : default_thread_count());
  // What can be refused is, before the directory is touched.
  std::optional<QuantizePlan> plan;
  if (!given.automatic) plan = TRY(plan_model(model, given));
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
  QuantizeSummary summary = TRY(write_compressed_tensors(model, *plan, options, calibration, journal, pool));
  summary.choice = std::move(choice);
  TRY_STATUS(copy_side_files(options.model_path, options.output));
  plan->config.transforms = online_transforms(model.online);
  model.directory.config["quantization_config"] = formats::compressed_tensors::to_json(plan->config);
  TRY_STATUS(write_config(model, *plan, options.output));
  TRY_STATUS(journal.finish());
  return summary;
}

Result<QuantizeSummary> to_modelslim(FloatModel& model, const QuantizeOptions& options) {
  const QuantizePlan plan = TRY(plan_model(model, options));
  QuantizeSummary summary = TRY(write_modelslim(model.source(), plan, options));
  TRY_STATUS(copy_side_files(options.model_path, options.output));
  TRY_STATUS(write_config(model, plan, options.output));
  return summary;
}

}  // namespace

Result<QuantizeSummary> quantize_directory(const QuantizeOptions& options) {
  TRY_STATUS(check_format(options));
  FloatModel model = TRY(open_float_model(options));
  return options.format == "modelslim" ? to_modelslim(model, options) : to_compressed_tensors(model, options);
}

}  // namespace tessera::compress
