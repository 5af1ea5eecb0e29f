#include "compress/checkpoint_writer.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "quant/integer_codes.h"

namespace tessera::compress {

using formats::TensorInfo;
using formats::TensorSpec;

Status CheckpointWriter::copy(const TensorInfo& info) {
  const Tensor tensor = TRY(output_.source.read(info.name));
  const DType dtype = stored_dtype(output_.plan, info.dtype);
  if (dtype == info.dtype) return output_.file.write(info.name, {tensor.data(), tensor.bytes()});
  std::vector<float> values(static_cast<size_t>(tensor.shape().numel()));
  quant::widen(info.dtype, tensor.data(), values);
  std::vector<std::byte> narrow(values.size() * dtype_size(dtype));
  quant::narrow(values, dtype, narrow.data());
  return output_.file.write(info.name, narrow);
}

void CheckpointWriter::take_as_written(size_t index) {
  for (const TensorSpec& spec : output_.specs.of(index))
    output_.file.take_as_written(spec.name);
}

void add_copies(const QuantizePlan& plan, OutputSpecs& specs) {
  specs.first.push_back(specs.specs.size());
  for (const TensorInfo* copy : plan.copies)
    specs.specs.push_back({copy->name, stored_dtype(plan, copy->dtype), copy->shape});
}

namespace {

class CompressedTensorsWriter final : public CheckpointWriter {
 public:
  using CheckpointWriter::CheckpointWriter;

  Status round(size_t index) override {
    const std::string& name = linear(index).source->name;
    const Tensor weight = TRY(output_.source.read(name));
    const quant::Rounding rounding{.scale_dtype = stored_dtype(output_.plan, weight.dtype()),
                                   .clip = output_.clip};
    return write_encoded(index, TRY(encode_rtn(weight.view(), name, part(index).weight, rounding,
                                               part(index).storage, output_.pool)));
  }

  Status write(size_t index, const RoundedLinear& rounded) override {
    return write_encoded(index, TRY(encode_codes(rounded, linear(index).out, part(index).weight.bits,
                                                 scale_dtype(), part(index).storage)));
  }

  DType scale_dtype() const override {
    return stored_dtype(output_.plan, output_.plan.linears.front().source->dtype);
  }

 private:
  Status write_encoded(size_t index, const EncodedLinear& encoded) {
    const auto specs = output_.specs.of(index);
    TRY_STATUS(output_.file.write(specs[0].name, {encoded.weight.data(), encoded.weight.size()}));
    TRY_STATUS(output_.file.write(specs[1].name, {encoded.scales.data(), encoded.scales.size()}));
    if (specs.size() < 3) return {};
    const std::array<int64_t, 2> shape = {linear(index).out, linear(index).in};
    return output_.file.write(specs[2].name, std::as_bytes(std::span(shape)));
  }
};

Result<std::vector<std::string>> scheme_names(const QuantizePlan& plan) {
  std::vector<std::string> names;
  for (const auto& group : plan.config.groups)
    names.push_back(formats::compressed_tensors::scheme_of(group).name());
  return names;
}

OutputSpecs specs_of(const QuantizePlan& plan) {
  OutputSpecs result;
  for (const QuantizedLinear& linear : plan.linears) {
    const PlannedPart& part = plan.parts[linear.part];
    result.first.push_back(result.specs.size());
    auto specs =
        formats::compressed_tensors::linear_specs(linear.name, linear.out, linear.in, part.weight,
                                                  stored_dtype(plan, linear.source->dtype), part.storage);
    std::ranges::move(specs, std::back_inserter(result.specs));
  }
  add_copies(plan, result);
  return result;
}

std::unique_ptr<CheckpointWriter> open(const Output& output) {
  return std::make_unique<CompressedTensorsWriter>(output);
}

Status finish(const QuantizePlan& plan, const OutputSpecs& /*specs*/, nlohmann::json& config,
              const std::filesystem::path& /*directory*/) {
  config["quantization_config"] = formats::compressed_tensors::to_json(plan.config);
  return {};
}

}  // namespace

const OutputFormat kCompressedTensorsOutput{.name = "compressed-tensors",
                                            .weights_stem = "model",
                                            .schemes = scheme_names,
                                            .specs = specs_of,
                                            .open = open,
                                            .finish = finish};

}  // namespace tessera::compress
