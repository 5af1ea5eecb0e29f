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
#include "compress/calibrate/calibrated_rounding.h"
#include "compress/float_model.h"
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

DType stored_dtype(const QuantizePlan& plan, DType dtype) {
  return plan.float_dtype.value_or(dtype);
}

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
                                            TensorWriter& writer, ThreadPool& pool) {
  std::unordered_map<std::string, size_t> indices;
  for (size_t i = 0; i < plan.linears.size(); ++i)
    indices.emplace(plan.linears[i].name, i);
  const CalibratedOptions rules{
      .rounding = {.scale_dtype = stored_dtype(plan, plan.linears.front().source->dtype),
                   .clip = options.clip}};
  CalibratedRounding rounding(model.source(), *model.reader, *model.config, rules, *calibration.algebra,
                              pool);
  return rounding.run(linears_of_layers(plan), calibration.data,
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
Status write_plainly(const QuantizePlan& plan, bool layers_too, TensorWriter& writer) {
  uint64_t total = 0;
  for (const QuantizedLinear& linear : plan.linears)
    total += linear.source->bytes;
  for (const TensorInfo* copy : plan.copies)
    total += copy->bytes;
  Progress progress("quantizing", total);
  for (size_t i = 0; i < plan.linears.size(); ++i) {
    const QuantizedLinear& linear = plan.linears[i];
    if (layers_too || !is_in_a_layer(linear)) TRY_STATUS(writer.round(i));
    progress.advance(linear.source->bytes, linear.name);
  }
  for (const TensorInfo* copy : plan.copies) {
    TRY_STATUS(writer.copy(*copy));
    progress.advance(copy->bytes, copy->name);
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
                                                 const QuantizeOptions& options) {
  ThreadPool pool(options.threads > 0 ? options.threads : default_thread_count());
  std::optional<Calibration> calibration;
  if (options.method == Method::kGptq)
    calibration = TRY(open_calibration(*model.config, options, pool.size()));
  TRY_STATUS(prepare_output_directory(options.model_path, options.output, options.force));
  const OutputSpecs output = output_specs(plan);
  auto file = TRY(SafetensorsWriter::create(options.output, output.specs));
  TensorWriter writer(model.source(), plan, output, options.clip, pool, file);
  CalibrationSummary seen;
  if (calibration) seen = TRY(write_calibrated(model, plan, options, *calibration, writer, pool));
  TRY_STATUS(write_plainly(plan, !calibration, writer));
  TRY_STATUS(file.commit());
  QuantizeSummary summary = summarize(plan, output, file.total_bytes());
  summary.plainly_rounded = std::move(seen.plainly_rounded);
  summary.calibration_rows = seen.least_rows;
  return summary;
}

Status check_format(const QuantizeOptions& options) {
  if (options.format == "compressed-tensors") return {};
  if (options.format != "modelslim")
    return invalid_argument("--format={}, expected compressed-tensors or modelslim", options.format);
  const bool plain = options.method == Method::kRtn && !options.rotate &&
                     options.clip == quant::Clip::kNone && options.activation_group == 0;
  if (!plain) {
    return unsupported(
        "--format=modelslim with --method, --clip, --rotate or --activation-group: expected "
        "compressed-tensors");
  }
  if (options.int8_cache)
    return unsupported("--format=modelslim with --kv-cache=int8, expected compressed-tensors");
  if (options.storage)
    return invalid_argument("--storage with --format=modelslim, which has one form: expected none");
  return {};
}

}  // namespace

Result<QuantizeSummary> quantize_directory(const QuantizeOptions& options) {
  TRY_STATUS(check_format(options));
  FloatModel model = TRY(open_float_model(options));
  QuantizePlan plan = TRY(plan_quantization(model.source(), model.tied, options));
  // Computed tensors have more than the checkpoint's precision; the file keeps that.
  if (&model.source() != model.files.get())
    plan.float_dtype = model.files->find(plan.linears.front().name + ".weight")->dtype;
  const bool modelslim = options.format == "modelslim";
  QuantizeSummary summary = TRY(modelslim ? write_modelslim(model.source(), plan, options)
                                          : write_compressed_tensors(model, plan, options));
  TRY_STATUS(copy_side_files(options.model_path, options.output));
  nlohmann::json& config = model.directory.config;
  if (plan.untie) config["tie_word_embeddings"] = false;
  plan.config.transforms = online_transforms(model.online);
  if (!modelslim) config["quantization_config"] = formats::compressed_tensors::to_json(plan.config);
  const std::string text = TRY(formats::dump_json(config, "config.json"));
  TRY_STATUS(write_text_file(std::filesystem::path(options.output) / "config.json", text + "\n"));
  return summary;
}

}  // namespace tessera::compress
