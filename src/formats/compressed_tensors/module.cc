#include "formats/compressed_tensors/module.h"

#include "formats/float_weights.h"
#include "quant/bit_packing.h"

namespace tessera::formats::compressed_tensors {
namespace {

/// Names of tensors that other formats store beside or instead of `weight`.
constexpr std::string_view kForeignTensors[] = {"meta", "scale_packed", "bitmask", "compressed",
                                                "weight_global_scale"};

std::string described(std::string_view what, const TensorInfo& info) {
  return fmt::format("{} is {} {}", what, dtype_name(info.dtype), info.shape.to_string());
}

void classify_weight(Module& module, const TensorInfo* plain, const TensorInfo* packed) {
  module.weight = packed != nullptr ? packed : plain;
  if (packed != nullptr && packed->dtype == DType::kI32) {
    module.stored = Stored::kPacked;
  } else if (packed == nullptr && plain != nullptr && plain->dtype == DType::kI8) {
    module.stored = Stored::kInteger;
  } else if (packed == nullptr && plain != nullptr && is_weight_float(plain->dtype)) {
    module.stored = Stored::kFloat;
  } else if (module.weight != nullptr) {
    module.stored = Stored::kForeign;
    module.foreign = described(packed != nullptr ? "weight_packed" : "weight", *module.weight);
  }
}

void weight_misfits(const Module& module, int bits, int64_t out, int64_t in,
                    std::vector<std::string>& misfits) {
  const bool packed = module.stored == Stored::kPacked;
  const auto columns = packed ? static_cast<int64_t>(quant::packed_words(static_cast<size_t>(in), bits)) : in;
  if (module.weight->shape == Shape{out, columns}) return;
  misfits.push_back(fmt::format(
      "{}, expected [{}, {}]", described(packed ? "weight_packed" : "weight", *module.weight), out, columns));
}

void scale_misfits(const Module& module, int group_size, int64_t out, int64_t in,
                   std::vector<std::string>& misfits) {
  if (group_size != 0 && in % group_size != 0) {
    misfits.push_back(fmt::format("group_size={} does not divide the {} input columns", group_size, in));
    return;
  }
  if (module.scale == nullptr) {
    misfits.emplace_back("weight_scale is missing");
    return;
  }
  const int64_t groups = group_size == 0 ? 1 : in / group_size;
  const bool flat = groups == 1 && module.scale->shape == Shape{out};  // [N] for [N, 1]: some writers squeeze
  if ((module.scale->shape != Shape{out, groups} && !flat) || !is_weight_float(module.scale->dtype)) {
    misfits.push_back(
        fmt::format("{}, expected a float [{}, {}]", described("weight_scale", *module.scale), out, groups));
  }
}

}  // namespace

std::vector<std::string> Module::names() const {
  std::vector<std::string> names;
  for (const TensorInfo* info : {weight, scale, shape, zero_point, group_index, bias}) {
    if (info != nullptr) names.push_back(info->name);
  }
  return names;
}

Module find_module(const TensorSource& source, std::string_view name) {
  const auto find = [&](std::string_view tensor) { return source.find(fmt::format("{}.{}", name, tensor)); };
  Module module;
  classify_weight(module, find("weight"), find("weight_packed"));
  module.bias = find("bias");
  if (module.stored != Stored::kFloat) {
    for (const std::string_view tensor : kForeignTensors) {
      if (find(tensor) == nullptr) continue;
      module.stored = Stored::kForeign;
      module.foreign = fmt::format("it has a tensor \"{}\"", tensor);
    }
  }
  if (module.quantized()) {
    module.scale = find("weight_scale");
    module.shape = find("weight_shape");
    module.zero_point = find("weight_zero_point");
    module.group_index = find("weight_g_idx");
  }
  return module;
}

std::vector<std::string> quantized_misfits(const Module& module, const quant::LinearScheme& scheme,
                                           int64_t out, int64_t in) {
  std::vector<std::string> misfits;
  weight_misfits(module, scheme.weight.bits, out, in, misfits);
  scale_misfits(module, scheme.weight.group_size, out, in, misfits);
  if (module.shape != nullptr && (module.shape->dtype != DType::kI64 || module.shape->shape != Shape{2})) {
    misfits.push_back(described("weight_shape", *module.shape) + ", expected I64 [2]");
  }
  // Symmetric zero points are dropped by the library, but some writers keep them: all zero, one byte each.
  if (module.zero_point != nullptr && (module.zero_point->dtype != DType::kI8 || module.scale == nullptr ||
                                       module.zero_point->shape != module.scale->shape)) {
    misfits.push_back(described("weight_zero_point", *module.zero_point) +
                      ", expected none for symmetric weights");
  }
  if (module.group_index != nullptr)
    misfits.emplace_back("weight_g_idx (actorder \"group\") is not supported");
  return misfits;
}

}  // namespace tessera::formats::compressed_tensors
