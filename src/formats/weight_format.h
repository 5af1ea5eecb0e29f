// How a checkpoint stores quantized linears: one WeightFormat per format (folder of src/formats), listed in
// weight_formats.cc. A WeightReader turns "the linear called NAME" into neutral LinearData.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/tensor_source.h"
#include "quant/attention_data.h"
#include "quant/linear_data.h"

namespace tessera::formats {

/// What kind of module a name belongs to: class targets ("Linear", "Embedding") of a config are matched by
/// it.
enum class ModuleKind { kLinear, kEmbedding };

struct AttentionHeads {
  int32_t query = 0, key = 0, dim = 0;
};

class WeightReader {
 public:
  virtual ~WeightReader() = default;

  /// The format's name as --quantization says it: "none", "compressed-tensors", "modelslim", "gptq" ...
  virtual std::string_view format_name() const = 0;

  /// Scheme of the module `name` (dotted path, without ".weight"), from the config and then the tensors,
  /// which have the last word. An error (unsupported or corrupt) names module, scheme and what is supported.
  virtual Result<quant::LinearScheme> scheme(std::string_view name, ModuleKind kind) const = 0;

  /// Names of the tensors that read() would read, bias included, so that the loader can tell which are left
  /// over.
  virtual std::vector<std::string> tensor_names(std::string_view name, ModuleKind kind) const = 0;

  /// [out, in] of the module as its tensors say it, for a look without a model's config. nullopt: the
  /// weight's own shape is that, as it is unless several codes share a byte.
  virtual std::optional<Shape> linear_shape(std::string_view /*name*/) const { return std::nullopt; }

  /// Checks dtype and shapes of the module's tensors against [out, in] without reading the data. All misfits
  /// in one error.
  virtual Status check(std::string_view name, int64_t out, int64_t in) const = 0;

  /// Reads and decodes. Scales are checked: finite and > 0.
  virtual Result<quant::LinearData> read(std::string_view name, int64_t out, int64_t in) const = 0;

  /// The same three for what the format says of the module of a layer's attention ("...self_attn") itself.
  virtual std::vector<std::string> attention_tensor_names(std::string_view /*name*/) const { return {}; }
  virtual Status check_attention(std::string_view /*name*/, const AttentionHeads& /*heads*/) const {
    return {};
  }
  virtual Result<quant::AttentionData> read_attention(std::string_view /*name*/,
                                                      const AttentionHeads& /*heads*/) const {
    return quant::AttentionData();
  }
};

/// One way in which a format stores the weights of a linear, by the format's own name for it, and how they
/// run here.
struct StoredScheme {
  std::string name;
  quant::LinearScheme runs_as;
};

struct WeightFormat {
  std::string_view name;
  /// True when this directory is of this format. `config` is config.json.
  bool (*matches)(const nlohmann::json& config, const std::string& directory);
  /// `source` outlives the reader.
  Result<std::unique_ptr<WeightReader>> (*open)(const nlohmann::json& config, const std::string& directory,
                                                const TensorSource& source);
  /// All that it reads, for the table of what is supported.
  std::vector<StoredScheme> (*stored_schemes)();
};

/// Most specific first; the last ("none": float weights) matches every directory without a
/// quantization_config.
std::span<const WeightFormat* const> weight_formats();

/// The reader for a directory; kUnsupported naming quant_method when no format matches.
Result<std::unique_ptr<WeightReader>> open_weight_reader(const nlohmann::json& config,
                                                         const std::string& directory,
                                                         const TensorSource& source);

}  // namespace tessera::formats
