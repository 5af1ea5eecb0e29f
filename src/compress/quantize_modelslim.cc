#include "compress/quantize_modelslim.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/progress.h"
#include "base/thread_pool.h"
#include "compress/output_directory.h"
#include "formats/json_limits.h"
#include "formats/modelslim/writer.h"
#include "quant/integer_codes.h"

namespace tessera::compress {
namespace {

using formats::SafetensorsWriter;
using formats::TensorInfo;
using formats::TensorSpec;

/// Of the plan's parts.
Result<std::vector<std::string_view>> types_of(const QuantizePlan& plan) {
  std::vector<std::string_view> types;
  for (const auto& group : plan.config.groups) {
    types.push_back(TRY(formats::modelslim::type_for(formats::compressed_tensors::scheme_of(group))));
  }
  for (const QuantizedLinear& linear : plan.linears)
    TRY_STATUS(formats::modelslim::check_linear(linear.name, types[linear.part], linear.out, linear.in));
  return types;
}

/// Of W4A8_DYNAMIC: two rows a byte, and what the NPU's kernel adds.
Status write_pairs(std::span<const int8_t> codes, std::span<const float> scales, const TensorSpec& weight,
                   const TensorSpec& scale_bias, SafetensorsWriter& writer) {
  const size_t rows = scales.size(), columns = codes.size() / rows;
  std::vector<int8_t> pairs(codes.size() / 2);
  for (size_t row = 0; row < rows; row += 2) {
    formats::modelslim::pack_rows(codes.subspan(row * columns, columns),
                                  codes.subspan((row + 1) * columns, columns),
                                  std::span(pairs).subspan(row / 2 * columns, columns));
  }
  TRY_STATUS(writer.write(weight.name, std::as_bytes(std::span(pairs))));
  const auto parts = static_cast<size_t>(scale_bias.shape[1]);
  std::vector<float> sums(rows * parts);
  for (size_t row = 0; row < rows; ++row) {
    formats::modelslim::sum_parts(codes.subspan(row * columns, columns), scales[row],
                                  std::span(sums).subspan(row * parts, parts));
  }
  return writer.write(scale_bias.name, std::as_bytes(std::span(sums)));
}

Status write_linear(const formats::TensorSource& source, const QuantizedLinear& linear, int bits,
                    std::string_view type, ThreadPool& pool, SafetensorsWriter& writer) {
  const Tensor weight = TRY(source.read(linear.source->name));
  const auto rows = static_cast<size_t>(linear.out), columns = static_cast<size_t>(linear.in);
  const size_t row_bytes = columns * dtype_size(weight.dtype());
  Tensor codes = TRY(Tensor::allocate(DType::kI8, {linear.out, linear.in}));
  std::vector<float> scales(rows);
  const std::span<int8_t> all = codes.as<int8_t>();
  std::atomic<size_t> bad{rows};
  pool.parallel_for(rows, [&](size_t row) {
    std::vector<float> values(columns);
    quant::widen(weight.dtype(), weight.data() + row * row_bytes, values);
    if (!formats::modelslim::encode_row(values, bits, scales[row], all.subspan(row * columns, columns)))
      bad = row;
  });
  if (bad != rows) {
    return invalid_argument("{}: row {} has a NaN or an infinity, expected finite weights",
                            linear.source->name, bad.load());
  }
  const auto specs = formats::modelslim::linear_specs(linear.name, type, linear.out, linear.in);
  if (type == formats::modelslim::kPairedType) {
    TRY_STATUS(write_pairs(all, scales, specs[0], specs[3], writer));
  } else {
    TRY_STATUS(writer.write(specs[0].name, {codes.data(), codes.bytes()}));
  }
  TRY_STATUS(writer.write(specs[1].name, std::as_bytes(std::span(scales))));
  std::ranges::fill(scales, 0.F);
  return writer.write(specs[2].name, std::as_bytes(std::span(scales)));
}

}  // namespace

Result<QuantizeSummary> write_modelslim(const formats::TensorSource& source, const QuantizePlan& plan,
                                        const QuantizeOptions& options) {
  const auto types = TRY(types_of(plan));
  QuantizeSummary summary{
      .linears = plan.linears.size(), .format = "modelslim", .schemes = {types.begin(), types.end()}};
  std::vector<TensorSpec> specs;
  formats::modelslim::DescriptionWriter description;
  for (const QuantizedLinear& linear : plan.linears) {
    summary.source_linear_bytes += linear.source->bytes;
    for (TensorSpec& spec :
         formats::modelslim::linear_specs(linear.name, types[linear.part], linear.out, linear.in)) {
      summary.linear_bytes += static_cast<uint64_t>(spec.shape.numel()) * dtype_size(spec.dtype);
      description.add(spec.name, std::string(types[linear.part]));
      specs.push_back(std::move(spec));
    }
  }
  for (const TensorInfo* copy : plan.copies) {
    specs.push_back({copy->name, copy->dtype, copy->shape});
    description.add(copy->name, "FLOAT");
  }
  TRY_STATUS(prepare_output_directory(options.model_path, options.output, options.force));
  auto writer = TRY(SafetensorsWriter::create(options.output, specs, SafetensorsWriter::kDefaultShardBytes,
                                              formats::modelslim::kWeightsStem));
  ThreadPool pool(options.threads > 0 ? options.threads : default_thread_count());
  Progress progress("quantizing", specs.size());
  for (const QuantizedLinear& linear : plan.linears) {
    TRY_STATUS(
        write_linear(source, linear, plan.parts[linear.part].weight.bits, types[linear.part], pool, writer));
    progress.advance(types[linear.part] == formats::modelslim::kPairedType ? 4 : 3, linear.name);
  }
  for (const TensorInfo* copy : plan.copies) {
    const Tensor tensor = TRY(source.read(copy->name));
    TRY_STATUS(writer.write(copy->name, {tensor.data(), tensor.bytes()}));
    progress.advance(1, copy->name);
  }
  TRY_STATUS(writer.commit());
  summary.total_bytes = writer.total_bytes();
  const std::string name(formats::modelslim::kDescriptionFile);
  const std::string text = TRY(formats::dump_json(description.finish(), name));
  TRY_STATUS(write_text_file(std::filesystem::path(options.output) / name, text + "\n"));
  return summary;
}

}  // namespace tessera::compress
