#include "compress/quantize.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/progress.h"
#include "compress/output_directory.h"
#include "compress/quantize_modelslim.h"
#include "compress/rtn.h"
#include "formats/hf/model_dir.h"
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
    auto specs =
        linear_specs(linear.name, linear.out, linear.in, part.weight, linear.source->dtype, part.storage);
    std::ranges::move(specs, std::back_inserter(result.specs));
  }
  result.first.push_back(result.specs.size());
  for (const TensorInfo* copy : plan.copies)
    result.specs.push_back({copy->name, copy->dtype, copy->shape});
  return result;
}

Status write_linear(const TensorSource& source, const QuantizedLinear& linear, const PlannedPart& part,
                    std::span<const TensorSpec> specs, ThreadPool& pool, SafetensorsWriter& writer) {
  const Tensor weight = TRY(source.read(linear.source->name));
  const EncodedLinear encoded =
      TRY(encode_rtn(weight.view(), linear.source->name, part.weight, part.storage, pool));
  TRY_STATUS(writer.write(specs[0].name, {encoded.weight.data(), encoded.weight.size()}));
  TRY_STATUS(writer.write(specs[1].name, {encoded.scales.data(), encoded.scales.size()}));
  if (specs.size() < 3) return {};
  const std::array<int64_t, 2> shape = {linear.out, linear.in};
  return writer.write(specs[2].name, std::as_bytes(std::span(shape)));
}

Status write_tensors(const TensorSource& source, const QuantizePlan& plan, const OutputSpecs& output,
                     int threads, SafetensorsWriter& writer) {
  ThreadPool pool(threads > 0 ? threads : default_thread_count());
  uint64_t total = 0;
  for (const QuantizedLinear& linear : plan.linears)
    total += linear.source->bytes;
  for (const TensorInfo* copy : plan.copies)
    total += copy->bytes;
  Progress progress("quantizing", total);
  for (size_t i = 0; i < plan.linears.size(); ++i) {
    const QuantizedLinear& linear = plan.linears[i];
    const auto specs =
        std::span(output.specs).subspan(output.first[i], output.first[i + 1] - output.first[i]);
    TRY_STATUS(write_linear(source, linear, plan.parts[linear.part], specs, pool, writer));
    progress.advance(linear.source->bytes, linear.name);
  }
  for (const TensorInfo* copy : plan.copies) {
    const Tensor tensor = TRY(source.read(copy->name));
    TRY_STATUS(writer.write(copy->name, {tensor.data(), tensor.bytes()}));
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

Result<QuantizeSummary> write_compressed_tensors(const TensorSource& source, const QuantizePlan& plan,
                                                 const QuantizeOptions& options) {
  TRY_STATUS(prepare_output_directory(options.model_path, options.output, options.force));
  const OutputSpecs output = output_specs(plan);
  auto writer = TRY(SafetensorsWriter::create(options.output, output.specs));
  TRY_STATUS(write_tensors(source, plan, output, options.threads, writer));
  TRY_STATUS(writer.commit());
  return summarize(plan, output, writer.total_bytes());
}

Status check_format(const QuantizeOptions& options) {
  if (options.format == "compressed-tensors") return {};
  if (options.format != "modelslim")
    return invalid_argument("--format={}, expected compressed-tensors or modelslim", options.format);
  if (options.storage)
    return invalid_argument("--storage with --format=modelslim, which has one form: expected none");
  return {};
}

}  // namespace

Result<QuantizeSummary> quantize_directory(const QuantizeOptions& options) {
  TRY_STATUS(check_format(options));
  formats::ModelDir model = TRY(formats::open_model_dir(options.model_path));
  if (const auto* quantized = formats::compressed_tensors::find_config(model.config); quantized != nullptr) {
    return invalid_argument(
        "{}/config.json: quantization_config is present, expected a float model to quantize",
        options.model_path);
  }
  const auto source = TRY(formats::open_safetensors_dir(options.model_path));
  const auto reader = TRY(formats::open_weight_reader(model.config, options.model_path, *source));
  if (reader->format_name() != "none") {
    return invalid_argument("{}: weights of format {}, expected a float model to quantize",
                            options.model_path, reader->format_name());
  }
  const auto tied = model.config.find("tie_word_embeddings");
  const bool is_tied = tied != model.config.end() && *tied == true;
  const QuantizePlan plan = TRY(plan_quantization(*source, is_tied, options));
  const bool modelslim = options.format == "modelslim";
  QuantizeSummary summary = TRY(modelslim ? write_modelslim(*source, plan, options)
                                          : write_compressed_tensors(*source, plan, options));
  TRY_STATUS(copy_side_files(options.model_path, options.output));
  if (plan.untie) model.config["tie_word_embeddings"] = false;
  if (!modelslim) model.config["quantization_config"] = formats::compressed_tensors::to_json(plan.config);
  const std::string text = TRY(formats::dump_json(model.config, "config.json"));
  TRY_STATUS(write_text_file(std::filesystem::path(options.output) / "config.json", text + "\n"));
  return summary;
}

}  // namespace tessera::compress
