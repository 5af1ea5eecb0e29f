#include "formats/modelslim/module.h"

#include <algorithm>
#include <limits>

#include "formats/float_weights.h"

namespace tessera::formats::modelslim {
namespace {

constexpr std::string_view kWrapped = ".linear";

std::string described(std::string_view what, const TensorInfo& info) {
  return fmt::format("{} is {} {}", what, dtype_name(info.dtype), info.shape.to_string());
}

/// Collects misfits of one module's tensors.
class Misfits {
 public:
  Misfits(const Module& module, std::vector<std::string>& into) : module_(module), into_(into) {}

  void add(std::string text) { into_.push_back(std::move(text)); }

  /// A float tensor that must be there, in one of the shapes.
  void floats(const TensorInfo* info, std::string_view what, std::initializer_list<Shape> shapes) {
    if (info == nullptr) {
      add(fmt::format("{} is missing from {}", what, module_.type));
    } else if (!is_weight_float(info->dtype) || std::ranges::find(shapes, info->shape) == shapes.end()) {
      add(fmt::format("{}, expected floats {}", described(what, *info), shapes.begin()->to_string()));
    }
  }
  void optional_floats(const TensorInfo* info, std::string_view what, std::initializer_list<Shape> shapes) {
    if (info != nullptr) floats(info, what, shapes);
  }
  void exact(const TensorInfo* info, std::string_view what, DType dtype, const Shape& shape) {
    if (info == nullptr) {
      add(fmt::format("{} is missing from {}", what, module_.type));
    } else if (info->dtype != dtype || info->shape != shape) {
      add(fmt::format("{}, expected {} {}", described(what, *info), dtype_name(dtype), shape.to_string()));
    }
  }
  void absent(const TensorInfo* info, std::string_view what) {
    if (info != nullptr) add(fmt::format("{} does not belong to {}", what, module_.type));
  }

 private:
  const Module& module_;
  std::vector<std::string>& into_;
};

bool fits(const Module& module, Packing packing, int64_t out, int64_t in) {
  const Shape& shape = module.weight->shape;
  switch (packing) {
    case Packing::kBytes:
      return module.facts->storages.bytes && shape == Shape{out, in};
    case Packing::kPairsOfRows:
      return module.facts->storages.pairs_of_rows && out % 2 == 0 && shape == Shape{out / 2, in};
    case Packing::kPairsOfColumns:
      return module.facts->storages.pairs_of_columns && in % 2 == 0 && shape == Shape{out, in / 2};
  }
  return false;
}

void weight_misfits(const Module& module, int64_t out, int64_t in, Misfits& misfits) {
  const Storages& storages = module.facts->storages;
  std::string expected = fmt::format("I8 [{}, {}]", out, in);
  if (storages.pairs_of_rows && out % 2 == 0)
    expected += fmt::format(" or two rows a byte [{}, {}]", out / 2, in);
  if (storages.pairs_of_columns && in % 2 == 0)
    expected += fmt::format(" or two columns a byte [{}, {}]", out, in / 2);
  const bool right_dtype = module.weight->dtype == DType::kI8 ||
                           (module.weight->dtype == DType::kU8 && module.weight->shape != Shape{out, in});
  const bool fitting = fits(module, Packing::kBytes, out, in) ||
                       fits(module, Packing::kPairsOfRows, out, in) ||
                       fits(module, Packing::kPairsOfColumns, out, in);
  if (!right_dtype || !fitting)
    misfits.add(fmt::format("{}, expected {}", described("weight", *module.weight), expected));
}

void scale_misfits(const Module& module, int64_t out, int64_t in, Misfits& misfits) {
  if (module.scale == nullptr) {
    if (module.facts->has_weight_scale)
      misfits.add(fmt::format("weight_scale is missing from {}", module.type));
    return;
  }
  const int group_size = group_size_of(module, in);
  if (group_size < 0) {
    const TensorInfo& groups = module.second_scale != nullptr ? *module.second_scale : *module.scale;
    return misfits.add(fmt::format(
        "{}, expected groups that divide the {} columns",
        described(module.second_scale != nullptr ? "weight_scale_second" : "weight_scale", groups), in));
  }
  const int64_t groups = group_size == 0 ? 1 : in / group_size;
  const Shape channels{out, 1}, flat{out}, grouped{out, groups};
  if (module.second_scale != nullptr) {
    misfits.floats(module.scale, "weight_scale", {channels, flat});
    misfits.floats(module.second_scale, "weight_scale_second", {grouped});
    misfits.optional_floats(module.offset, "weight_offset", {channels, flat});
    misfits.optional_floats(module.second_offset, "weight_offset_second", {grouped});
  } else if (groups == 1) {
    misfits.floats(module.scale, "weight_scale", {channels, flat});
    misfits.optional_floats(module.offset, "weight_offset", {channels, flat});
  } else {
    misfits.floats(module.scale, "weight_scale", {grouped});
    misfits.optional_floats(module.offset, "weight_offset", {grouped});
  }
}

void static_input_misfits(const Module& module, int64_t out, Misfits& misfits) {
  if (!module.facts->static_input) {
    misfits.absent(module.deq_scale, "deq_scale");
    misfits.absent(module.quant_bias, "quant_bias");
    misfits.absent(module.input_scale, "input_scale");
    return;
  }
  const Shape one{1}, scalar{};
  misfits.floats(module.input_scale, "input_scale", {one, scalar});
  if (module.input_offset != nullptr && module.input_offset->dtype == DType::kI8) {
    misfits.exact(module.input_offset, "input_offset", DType::kI8, one);
  } else {
    misfits.floats(module.input_offset, "input_offset", {one, scalar});
  }
  misfits.exact(module.quant_bias, "quant_bias", DType::kI32, {out});
  const bool bits = module.deq_scale != nullptr && module.deq_scale->dtype == DType::kI64;
  misfits.exact(module.deq_scale, "deq_scale", bits ? DType::kI64 : DType::kF32, {out});
}

void kronecker_misfits(const Module& module, int64_t in, Misfits& misfits) {
  if (!module.facts->kronecker) {
    misfits.absent(module.left, "left_trans");
    misfits.absent(module.right, "right_trans");
    misfits.absent(module.clip_ratio, "clip_ratio");
    return;
  }
  const int64_t rows = module.left != nullptr && module.left->shape.rank() == 2 ? module.left->shape[0] : 0;
  if (rows <= 0 || in % rows != 0) {
    return misfits.add(module.left == nullptr
                           ? fmt::format("left_trans is missing from {}", module.type)
                           : fmt::format("{}, expected [a, a] with a dividing the {} columns",
                                         described("left_trans", *module.left), in));
  }
  misfits.floats(module.left, "left_trans", {Shape{rows, rows}});
  misfits.floats(module.right, "right_trans", {Shape{in / rows, in / rows}});
  misfits.optional_floats(module.clip_ratio, "clip_ratio", {Shape{1}, Shape{}});
}

/// All tensors of a linear have its type; its bias and the factors of its input are FLOAT.
void type_misfits(const Module& module, const Description& description, Misfits& misfits) {
  for (const std::string& name : module.names()) {
    const std::string_view type = description.type_of(name);
    if (type == module.type || type.empty()) continue;
    const bool may_be_float = name.ends_with(".bias") || name.ends_with(".mul_scale");
    if (may_be_float && type == "FLOAT") continue;
    misfits.add(fmt::format("{} is described as {}, the weight as {}", name.substr(module.base.size() + 1),
                            type, module.type));
  }
}

}  // namespace

std::vector<std::string> Module::names() const {
  std::vector<std::string> names;
  for (const TensorInfo* info :
       {weight, bias, scale, offset, second_scale, second_offset, scale_bias, input_scale, input_offset,
        deq_scale, quant_bias, left, right, clip_ratio, mul_scale}) {
    if (info != nullptr) names.push_back(info->name);
  }
  return names;
}

Module find_module(const TensorSource& source, const Description& description, std::string_view name) {
  Module module;
  // Both the model's name and NAME.linear, as one who walks over tensors sees it, lead here.
  if (name.ends_with(kWrapped)) name.remove_suffix(kWrapped.size());
  module.mul_scale = source.find(fmt::format("{}.div.mul_scale", name));
  const bool wrapped = source.find(fmt::format("{}{}.weight", name, kWrapped)) != nullptr;
  module.base = wrapped ? fmt::format("{}{}", name, kWrapped) : std::string(name);
  const auto find = [&](std::string_view tensor) {
    return source.find(fmt::format("{}.{}", module.base, tensor));
  };
  module.weight = find("weight");
  module.bias = find("bias");
  module.scale = find("weight_scale");
  module.offset = find("weight_offset");
  module.second_scale = find("weight_scale_second");
  module.second_offset = find("weight_offset_second");
  module.scale_bias = find("scale_bias");
  module.input_scale = find("input_scale");
  module.input_offset = find("input_offset");
  module.deq_scale = find("deq_scale");
  module.quant_bias = find("quant_bias");
  module.left = find("left_trans");
  module.right = find("right_trans");
  module.clip_ratio = find("clip_ratio");
  module.type = description.type_of(module.base + ".weight");
  module.facts = find_type(module.type);
  return module;
}

Packing packing_of(const Module& module, int64_t out, int64_t in) {
  if (fits(module, Packing::kPairsOfRows, out, in)) return Packing::kPairsOfRows;
  if (fits(module, Packing::kPairsOfColumns, out, in)) return Packing::kPairsOfColumns;
  return Packing::kBytes;
}

Shape linear_shape(const Module& module, const Description& description) {
  if (module.weight == nullptr || module.weight->shape.rank() != 2) return {};
  Shape shape = module.weight->shape;
  if (!module.quantized() || module.scale == nullptr || module.scale->shape.rank() == 0) return shape;
  const int64_t rows = module.scale->shape[0];
  if (module.facts->storages.pairs_of_rows && rows == 2 * shape[0]) return {rows, shape[1]};
  // Nothing in the tensors tells one column a byte from two; the saver that packs them writes its version.
  const bool per_channel = module.scale->shape == Shape{rows, 1};
  if (module.facts->storages.pairs_of_columns && per_channel && description.versioned())
    return {rows, 2 * shape[1]};
  return shape;
}

int group_size_of(const Module& module, int64_t in) {
  const TensorInfo* groups = module.second_scale != nullptr ? module.second_scale : module.scale;
  if (groups == nullptr || groups->shape.rank() != 2 || groups->shape[1] == 1) return 0;
  const int64_t count = groups->shape[1];
  if (count <= 0 || in % count != 0 || in / count > std::numeric_limits<int>::max()) return -1;
  return static_cast<int>(in / count);
}

std::vector<std::string> quantized_misfits(const Module& module, const Description& description, int64_t out,
                                           int64_t in) {
  std::vector<std::string> list;
  Misfits misfits(module, list);
  type_misfits(module, description, misfits);
  weight_misfits(module, out, in, misfits);
  scale_misfits(module, out, in, misfits);
  static_input_misfits(module, out, misfits);
  kronecker_misfits(module, in, misfits);
  misfits.optional_floats(module.bias, "bias", {Shape{out}});
  if (module.second_scale != nullptr && module.facts->activation_bits != 8)
    misfits.absent(module.second_scale, "weight_scale_second");
  return list;
}

void append_factor_misfits(const Module& module, int64_t in, std::vector<std::string>& misfits) {
  Misfits(module, misfits).optional_floats(module.mul_scale, "div.mul_scale", {Shape{in}, Shape{1, in}});
}

}  // namespace tessera::formats::modelslim
