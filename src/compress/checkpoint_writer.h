// CheckpointWriter: the tensors of a plan as a format stores them, one linear or copy at a time, in any
// order. OutputFormat: what differs between the formats that `quantize` writes. One caller at a time.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "compress/quantize_plan.h"
#include "compress/rotate/rotated_reader.h"
#include "compress/rtn.h"
#include "formats/safetensors/safetensors_writer.h"

namespace tessera::compress {

/// All tensors of the output; those of linear i are specs [first[i], first[i + 1]), and copies come last.
struct OutputSpecs {
  std::vector<formats::TensorSpec> specs;
  std::vector<size_t> first;

  std::span<const formats::TensorSpec> of(size_t linear) const {
    return std::span(specs).subspan(first[linear], first[linear + 1] - first[linear]);
  }
};

/// What a writer works with; all outlive it.
struct Output {
  const formats::TensorSource& source;
  const QuantizePlan& plan;
  const OutputSpecs& specs;
  quant::Clip clip;
  ThreadPool& pool;
  formats::SafetensorsWriter& file;
};

class CheckpointWriter {
 public:
  explicit CheckpointWriter(const Output& output) : output_(output) {}
  virtual ~CheckpointWriter() = default;

  /// Linear `index` of the plan, rounded to nearest by the format's own rule.
  virtual Status round(size_t index) = 0;
  /// Its codes, however they were found; scales as scale_dtype() holds them.
  virtual Status write(size_t index, const RoundedLinear& rounded) = 0;
  virtual DType scale_dtype() const = 0;

  Status copy(const formats::TensorInfo& info);
  /// An earlier process wrote it.
  void take_as_written(size_t index);
  void take_as_written(const formats::TensorInfo& info) { output_.file.take_as_written(info.name); }

 protected:
  const QuantizedLinear& linear(size_t index) const { return output_.plan.linears[index]; }
  const PlannedPart& part(size_t index) const { return output_.plan.parts[linear(index).part]; }

  Output output_;
};

struct OutputFormat {
  std::string_view name, weights_stem;
  /// Names of the plan's parts' schemes. kUnsupported naming what the format does not have.
  Result<std::vector<std::string>> (*schemes)(const QuantizePlan& plan);
  OutputSpecs (*specs)(const QuantizePlan& plan);
  std::unique_ptr<CheckpointWriter> (*open)(const Output& output);
  /// After the weights: what else the directory needs, in files or in `config`.
  Status (*finish)(const QuantizePlan& plan, const OutputSpecs& specs, nlohmann::json& config,
                   const std::filesystem::path& directory);
};

extern const OutputFormat kCompressedTensorsOutput, kModelSlimOutput;

/// Copies behind the linears' specs, which `specs` has.
void add_copies(const QuantizePlan& plan, OutputSpecs& specs);

}  // namespace tessera::compress
