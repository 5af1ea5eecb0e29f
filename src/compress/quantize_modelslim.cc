// A plan as a ModelSlim checkpoint of version 1: quant_model_weights*.safetensors and
// quant_model_description.json. Plain rounding is by ModelSlim's own rule; codes that calibration found, or
// scales that clip, are as good there as anywhere.
#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/file.h"
#include "compress/checkpoint_writer.h"
#include "formats/json_limits.h"
#include "formats/modelslim/writer.h"
#include "quant/integer_codes.h"

namespace tessera::compress {
namespace {

using formats::TensorInfo;
using formats::TensorSpec;

std::string_view type_of(const QuantizePlan& plan, const QuantizedLinear& linear) {
  const auto type =
      formats::modelslim::type_for(formats::compressed_tensors::scheme_of(plan.config.groups[linear.part]));
  CHECK(type.has_value(), "{}: the plan was checked", linear.name);
  return *type;
}

/// Types of the plan's parts, after everything was found to have a place in the format.
Result<std::vector<std::string>> scheme_names(const QuantizePlan& plan) {
  std::vector<std::string> types;
  for (const auto& group : plan.config.groups)
    types.emplace_back(TRY(formats::modelslim::type_for(formats::compressed_tensors::scheme_of(group))));
  for (const QuantizedLinear& linear : plan.linears)
    TRY_STATUS(formats::modelslim::check_linear(linear.name, types[linear.part], linear.out, linear.in));
  return types;
}

class ModelSlimWriter final : public CheckpointWriter {
 public:
  using CheckpointWriter::CheckpointWriter;

  Status round(size_t index) override {
    const Tensor weight = TRY(output_.source.read(linear(index).source->name));
    const auto rows = static_cast<size_t>(linear(index).out), columns = static_cast<size_t>(linear(index).in);
    const size_t row_bytes = columns * dtype_size(weight.dtype());
    const int bits = part(index).weight.bits;
    RoundedLinear rounded{.codes = std::vector<int8_t>(rows * columns), .scales = std::vector<float>(rows)};
    std::atomic<size_t> bad{rows};
    output_.pool.parallel_for(rows, [&](size_t row) {
      std::vector<float> values(columns);
      quant::widen(weight.dtype(), weight.data() + row * row_bytes, values);
      const auto codes = std::span(rounded.codes).subspan(row * columns, columns);
      const std::span<float> scale(&rounded.scales[row], 1);
      const bool finite = output_.clip == quant::Clip::kNone
                              ? formats::modelslim::encode_row(values, bits, scale[0], codes)
                              : quant::encode_row(values, bits, 0, DType::kF32, scale, codes, output_.clip);
      if (!finite) bad = row;
    });
    if (bad != rows) {
      return invalid_argument("{}: row {} has a NaN or an infinity, expected finite weights",
                              linear(index).source->name, bad.load());
    }
    return write(index, rounded);
  }

  Status write(size_t index, const RoundedLinear& rounded) override {
    const auto specs = output_.specs.of(index);
    if (type_of(output_.plan, linear(index)) == formats::modelslim::kPairedType) {
      TRY_STATUS(write_pairs(rounded, specs[0], specs[3]));
    } else {
      TRY_STATUS(output_.file.write(specs[0].name, std::as_bytes(std::span(rounded.codes))));
    }
    TRY_STATUS(output_.file.write(specs[1].name, std::as_bytes(std::span(rounded.scales))));
    const std::vector<float> offsets(rounded.scales.size());
    return output_.file.write(specs[2].name, std::as_bytes(std::span(offsets)));
  }

  DType scale_dtype() const override { return DType::kF32; }

 private:
  /// Of W4A8_DYNAMIC: two rows a byte, and what the NPU's kernel adds.
  Status write_pairs(const RoundedLinear& rounded, const TensorSpec& weight, const TensorSpec& scale_bias) {
    const size_t rows = rounded.scales.size(), columns = rounded.codes.size() / rows;
    const std::span<const int8_t> codes = rounded.codes;
    std::vector<int8_t> pairs(codes.size() / 2);
    for (size_t row = 0; row < rows; row += 2) {
      formats::modelslim::pack_rows(codes.subspan(row * columns, columns),
                                    codes.subspan((row + 1) * columns, columns),
                                    std::span(pairs).subspan(row / 2 * columns, columns));
    }
    TRY_STATUS(output_.file.write(weight.name, std::as_bytes(std::span(pairs))));
    const auto parts = static_cast<size_t>(scale_bias.shape[1]);
    std::vector<float> sums(rows * parts);
    for (size_t row = 0; row < rows; ++row) {
      formats::modelslim::sum_parts(codes.subspan(row * columns, columns), rounded.scales[row],
                                    std::span(sums).subspan(row * parts, parts));
    }
    return output_.file.write(scale_bias.name, std::as_bytes(std::span(sums)));
  }
};

OutputSpecs specs_of(const QuantizePlan& plan) {
  OutputSpecs result;
  for (const QuantizedLinear& linear : plan.linears) {
    result.first.push_back(result.specs.size());
    auto specs = formats::modelslim::linear_specs(linear.name, type_of(plan, linear), linear.out, linear.in);
    std::ranges::move(specs, std::back_inserter(result.specs));
  }
  add_copies(plan, result);
  return result;
}

std::unique_ptr<CheckpointWriter> open(const Output& output) {
  return std::make_unique<ModelSlimWriter>(output);
}

Status finish(const QuantizePlan& plan, const OutputSpecs& specs, nlohmann::json& /*config*/,
              const std::filesystem::path& directory) {
  formats::modelslim::DescriptionWriter description;
  for (size_t i = 0; i < plan.linears.size(); ++i) {
    for (const TensorSpec& spec : specs.of(i))
      description.add(spec.name, std::string(type_of(plan, plan.linears[i])));
  }
  for (const TensorInfo* copy : plan.copies)
    description.add(copy->name, "FLOAT");
  const std::string name(formats::modelslim::kDescriptionFile);
  const std::string text = TRY(formats::dump_json(description.finish(), name));
  return write_text_file(directory / name, text + "\n");
}

}  // namespace

const OutputFormat kModelSlimOutput{.name = "modelslim",
                                    .weights_stem = formats::modelslim::kWeightsStem,
                                    .schemes = scheme_names,
                                    .specs = specs_of,
                                    .open = open,
                                    .finish = finish};

}  // namespace tessera::compress
