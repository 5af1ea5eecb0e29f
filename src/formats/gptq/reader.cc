#include "formats/gptq/reader.h"

#include "formats/float_weights.h"
#include "formats/gptq/decode.h"
#include "formats/gptq/module.h"

namespace tessera::formats::gptq {
namespace {

using quant::LinearData;
using quant::LinearScheme;

class Reader final : public WeightReader {
 public:
  Reader(const Layout& layout, const TensorSource& source) : layout_(layout), source_(source) {}

  std::string_view format_name() const override { return layout_.format; }

  /// Of tensors that contradict each other only what they agree on: check() tells.
  Result<LinearScheme> scheme(std::string_view name, ModuleKind kind) const override {
    const Module module = find_module(source_, name);
    if (!module.quantized()) return float_module_scheme(name, module);
    if (kind == ModuleKind::kEmbedding)
      return unsupported("{}: a quantized embedding, expected F32, F16 or BF16", name);
    const Sizes sizes = sizes_of(module, layout_);
    if (quantized_misfits(module, layout_, sizes.out, sizes.in).empty())
      return linear_scheme(source_, module, layout_);
    LinearScheme scheme;
    scheme.weight.bits = kept_width(sizes.bits);
    return scheme;
  }

  std::vector<std::string> tensor_names(std::string_view name, ModuleKind /*kind*/) const override {
    return find_module(source_, name).names();
  }

  std::optional<Shape> linear_shape(std::string_view name) const override {
    const Module module = find_module(source_, name);
    if (!module.quantized()) return std::nullopt;
    const Sizes sizes = sizes_of(module, layout_);
    return Shape{sizes.out, sizes.in};
  }

  Status check(std::string_view name, int64_t out, int64_t in) const override {
    const Module module = find_module(source_, name);
    if (!module.quantized()) {
      if (const auto scheme = float_module_scheme(name, module); !scheme) return scheme.error();
      return misfits_to_status(name, float_linear_misfits(source_, name, out, in));
    }
    auto misfits = quantized_misfits(module, layout_, out, in);
    append_bias_misfits(source_, name, out, misfits);
    return misfits_to_status(name, misfits);
  }

  Result<LinearData> read(std::string_view name, int64_t out, int64_t in) const override {
    TRY_STATUS(check(name, out, in));
    const Module module = find_module(source_, name);
    if (!module.quantized()) return read_float_linear(source_, name, out, in);
    LinearData data = TRY(decode(source_, module, layout_));
    data.bias = TRY(read_bias(source_, name));
    return data;
  }

 private:
  static Result<LinearScheme> float_module_scheme(std::string_view name, const Module& module) {
    if (module.weight == nullptr)
      return not_found("{}: neither qweight nor weight is in the checkpoint", name);
    if (is_weight_float(module.weight->dtype)) return float_scheme(module.weight->dtype);
    return unsupported("{}.weight: {}, expected F32, F16 or BF16, or qweight with qzeros and scales", name,
                       dtype_name(module.weight->dtype));
  }

  Layout layout_;
  const TensorSource& source_;
};

}  // namespace

std::unique_ptr<WeightReader> make_reader(const Layout& layout, const TensorSource& source) {
  return std::make_unique<Reader>(layout, source);
}

}  // namespace tessera::formats::gptq
