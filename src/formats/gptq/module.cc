#include "formats/gptq/module.h"

#include <algorithm>

#include "formats/float_weights.h"

namespace tessera::formats::gptq {
namespace {

bool is_matrix(const TensorInfo* info) {
  return info != nullptr && info->shape.rank() == 2;
}

/// Outputs are a whole number of words in qzeros, so its width tells that of a code.
int width_of(const Module& module, const Layout& layout) {
  if (layout.packing == Packing::kOutputs || !is_matrix(module.qzeros)) return layout.bits;
  const int64_t out = module.qweight->shape[1], words = module.qzeros->shape[1];
  const auto* width = std::ranges::find_if(kWidths, [&](int bits) { return out * bits == words * 32; });
  return width == kWidths.end() ? layout.bits : *width;
}

class Misfits {
 public:
  Misfits(const Module& module, const Layout& layout, int64_t out, int64_t in)
      : module_(module), layout_(layout), sizes_(sizes_of(module, layout)), out_(out), in_(in) {}

  void words() {
    const int64_t bits = sizes_.bits;
    const bool inputs = layout_.packing == Packing::kInputs;
    if (const int64_t packed = inputs ? in_ : out_; packed * bits % 32 != 0) {
      return add(fmt::format("{} {} of {} bits, expected a whole number of 32-bit words", packed,
                             inputs ? "inputs" : "outputs", bits));
    }
    exact(module_.qweight, "qweight", DType::kI32,
          inputs ? Shape{in_ * bits / 32, out_} : Shape{in_, out_ * bits / 32});
  }

  void groups() {
    if (!is_matrix(module_.scales) || !is_weight_float(module_.scales->dtype) ||
        module_.scales->shape[1] != out_)
      return add(fmt::format("{}, expected floats [groups, {}]", described(module_.scales, "scales"), out_));
    if (sizes_.groups <= 0 || in_ % sizes_.groups != 0)
      return add(
          fmt::format("{}, expected groups that divide {} inputs", described(module_.scales, "scales"), in_));
    exact(module_.qzeros, "qzeros", DType::kI32, {sizes_.groups, out_ * sizes_.bits / 32});
    order();
  }

  void zero_points() {
    if (layout_.zeros_less_one && sizes_.bits == 3)
      add("3-bit codes with checkpoint_format \"gptq\", whose zero points depend on the writer, are not "
          "supported, expected "
          "\"gptq_v2\"");
  }

  std::vector<std::string> found;

 private:
  void order() {
    if (module_.g_idx != nullptr) return exact(module_.g_idx, "g_idx", DType::kI32, {in_});
    if (layout_.ordered) return add("g_idx is missing from weights with desc_act");
    const int64_t expected = layout_.group_size == 0 ? in_ : layout_.group_size;
    if (in_ / sizes_.groups != expected)
      add(fmt::format("{}, expected groups of {} as the config says", described(module_.scales, "scales"),
                      expected));
  }

  static std::string described(const TensorInfo* info, std::string_view what) {
    if (info == nullptr) return fmt::format("{} is missing", what);
    return fmt::format("{} is {} {}", what, dtype_name(info->dtype), info->shape.to_string());
  }
  void exact(const TensorInfo* info, std::string_view what, DType dtype, const Shape& shape) {
    if (info != nullptr && info->dtype == dtype && info->shape == shape) return;
    add(fmt::format("{}, expected {} {}", described(info, what), dtype_name(dtype), shape.to_string()));
  }
  void add(std::string text) { found.push_back(std::move(text)); }

  const Module& module_;
  const Layout& layout_;
  Sizes sizes_;
  int64_t out_, in_;
};

}  // namespace

std::vector<std::string> Module::names() const {
  std::vector<std::string> names;
  const auto add = [&](const TensorInfo* info) {
    if (info != nullptr) names.push_back(info->name);
  };
  if (!quantized()) add(weight);
  for (const TensorInfo* info : {qweight, qzeros, scales, g_idx, bias})
    add(info);
  return names;
}

Module find_module(const TensorSource& source, std::string_view name) {
  const auto find = [&](std::string_view tensor) { return source.find(fmt::format("{}.{}", name, tensor)); };
  Module module;
  module.weight = find("weight");
  module.bias = find("bias");
  module.qweight = find("qweight");
  if (!module.quantized()) return module;
  module.qzeros = find("qzeros");
  module.scales = find("scales");
  module.g_idx = find("g_idx");
  return module;
}

Sizes sizes_of(const Module& module, const Layout& layout) {
  Sizes sizes{.bits = layout.bits};
  if (is_matrix(module.scales)) sizes.groups = module.scales->shape[0];
  if (!is_matrix(module.qweight)) return sizes;
  const Shape& words = module.qweight->shape;
  sizes.bits = width_of(module, layout);
  if (layout.packing == Packing::kInputs) {
    sizes.out = words[1];
    sizes.in = words[0] * 32 / sizes.bits;
  } else {
    sizes.out = words[1] * 32 / sizes.bits;
    sizes.in = words[0];
  }
  return sizes;
}

std::vector<std::string> quantized_misfits(const Module& module, const Layout& layout, int64_t out,
                                           int64_t in) {
  Misfits misfits(module, layout, out, in);
  misfits.words();
  misfits.groups();
  misfits.zero_points();
  return std::move(misfits.found);
}

}  // namespace tessera::formats::gptq
