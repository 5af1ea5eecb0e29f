#include "formats/modelslim/reader.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/file.h"
#include "base/log.h"
#include "base/model_file.h"
#include "formats/float_weights.h"
#include "formats/modelslim/cache_scales.h"
#include "formats/modelslim/decode.h"
#include "formats/modelslim/module.h"

namespace tessera::formats::modelslim {
namespace {

using quant::LinearData;
using quant::LinearScheme;

constexpr size_t kShownNames = 20;

class Reader final : public WeightReader {
 public:
  Reader(const TensorSource& source, Description description)
      : source_(source), description_(std::move(description)) {}

  std::string_view format_name() const override { return kFormat.name; }

  Result<LinearScheme> scheme(std::string_view name, ModuleKind kind) const override {
    return scheme(name, kind, find_module(source_, description_, name));
  }

  std::vector<std::string> tensor_names(std::string_view name, ModuleKind /*kind*/) const override {
    return find_module(source_, description_, name).names();
  }

  std::optional<Shape> linear_shape(std::string_view name) const override {
    const Shape shape = modelslim::linear_shape(find_module(source_, description_, name), description_);
    return shape.rank() == 2 ? std::optional(shape) : std::nullopt;
  }

  Status check(std::string_view name, int64_t out, int64_t in) const override {
    const Module module = find_module(source_, description_, name);
    if (const auto linear = scheme(name, ModuleKind::kLinear, module); !linear) return linear.error();
    return check(name, module, out, in);
  }

  Result<LinearData> read(std::string_view name, int64_t out, int64_t in) const override {
    const Module module = find_module(source_, description_, name);
    const LinearScheme linear = TRY(scheme(name, ModuleKind::kLinear, module));
    TRY_STATUS(check(name, module, out, in));
    LinearData data = TRY(module.quantized() ? decode(source_, module, linear, out, in)
                                             : read_float_linear(source_, module.base, out, in));
    data.scheme.transformed = linear.transformed;
    data.transform = TRY(read_transform(source_, module, in));
    return data;
  }

  std::vector<std::string> attention_tensor_names(std::string_view name) const override {
    return cache_tensor_names(source_, name);
  }

  Status check_attention(std::string_view name, const AttentionHeads& heads) const override {
    return misfits_to_status(name, cache_misfits(source_, description_, name, heads));
  }

  Result<quant::AttentionData> read_attention(std::string_view name,
                                              const AttentionHeads& heads) const override {
    TRY_STATUS(check_attention(name, heads));
    quant::AttentionData data;
    TRY_STATUS(read_cache_scales(source_, name, data));
    return data;
  }

 private:
  Result<LinearScheme> scheme(std::string_view name, ModuleKind kind, const Module& module) const;
  Status check(std::string_view name, const Module& module, int64_t out, int64_t in) const;

  const TensorSource& source_;
  Description description_;
};

Result<LinearScheme> Reader::scheme(std::string_view name, ModuleKind kind, const Module& module) const {
  if (module.weight == nullptr) return not_found("{}.weight: not in the checkpoint", name);
  if (is_weight_float(module.weight->dtype) && (module.type.empty() || module.type == "FLOAT")) {
    LinearScheme scheme = float_scheme(module.weight->dtype);
    scheme.transformed = module.mul_scale != nullptr;
    return scheme;
  }
  if (module.type.empty()) {
    return data_corrupt("{}: weight is {}, but the description gives it no type", name,
                        dtype_name(module.weight->dtype));
  }
  if (module.facts == nullptr)
    return unsupported("{}: type {:.100}, expected {}", name, module.type, supported_types());
  if (!module.quantized()) {
    return data_corrupt("{}: weight is {} but its type is FLOAT, expected F32, F16 or BF16", name,
                        dtype_name(module.weight->dtype));
  }
  if (kind == ModuleKind::kEmbedding) {
    return unsupported("{}: an embedding of type {}, expected FLOAT", name, module.type);
  }
  return linear_scheme(source_, module);
}

Status Reader::check(std::string_view name, const Module& module, int64_t out, int64_t in) const {
  auto misfits = module.quantized() ? quantized_misfits(module, description_, out, in)
                                    : float_linear_misfits(source_, module.base, out, in);
  append_factor_misfits(module, in, misfits);
  return misfits_to_status(name, misfits);
}

/// Everything about the directory as a whole that we cannot run, in one error.
Status check_description(const Description& description, const TensorSource& source,
                         const std::string& file) {
  const std::vector<std::string>& problems = description.unsupported_features();
  std::vector<std::string> absent;
  for (const std::string_view tensor : description.tensors()) {
    if (source.find(tensor) == nullptr)
      absent.push_back(fmt::format("{:.200} ({:.40})", tensor, description.type_of(tensor)));
  }
  if (!problems.empty()) return unsupported("{}: {} not supported", file, fmt::join(problems, "; "));
  if (absent.empty()) return {};
  std::ranges::sort(absent);
  const size_t more = absent.size() > kShownNames ? absent.size() - kShownNames : 0;
  absent.resize(absent.size() - more);
  return data_corrupt("{}: names tensors that are not in the checkpoint: {}{}", file, fmt::join(absent, ", "),
                      more == 0 ? "" : fmt::format(" and {} more", more));
}

bool matches(const nlohmann::json& /*config*/, const std::string& directory) {
  const auto found = find_description(directory);
  return !found.has_value() || found->has_value();  // several of them: open() says so
}

Result<std::unique_ptr<WeightReader>> open(const nlohmann::json& /*config*/, const std::string& directory,
                                           const TensorSource& source) {
  const auto path = TRY(find_description(directory));
  if (!path) return not_found("{}: no quant_model_description.json", directory);
  const std::string file = path->filename().string();
  const InputFile input = TRY(open_model_file(directory, file));
  const std::string text = TRY(read_text_file(input.path(), Description::kMaxBytes));
  return make_reader(text, file, source);
}

std::vector<StoredScheme> stored_schemes() {
  std::vector<StoredScheme> schemes;
  for (const TypeFacts& type : types()) {
    quant::LinearScheme scheme{.weight = {.bits = type.weight_bits},
                               .activation = {.bits = type.activation_bits}};
    scheme.activation.is_static = type.static_input && !type.has_weight_scale;
    scheme.transformed = type.kronecker;
    schemes.push_back({std::string(type.name), scheme});
  }
  return schemes;
}

}  // namespace

const WeightFormat kFormat{
    .name = "modelslim", .matches = matches, .open = open, .stored_schemes = stored_schemes};

Result<std::unique_ptr<WeightReader>> make_reader(std::string_view description, const std::string& file,
                                                  const TensorSource& source) {
  Description parsed = TRY(Description::parse(description, file));
  TRY_STATUS(check_description(parsed, source, file));
  return std::unique_ptr<WeightReader>(std::make_unique<Reader>(source, std::move(parsed)));
}

}  // namespace tessera::formats::modelslim
