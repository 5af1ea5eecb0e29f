#include "formats/compressed_tensors/module.h"

#include <algorithm>

#include "formats/float_weights.h"
#include "quant/bit_packing.h"

namespace tessera::formats::compressed_tensors {
namespace {

/// Names of tensors that formats store that nobody can decode, or only with a mask.
constexpr std::string_view kForeignTensors[] = {"meta", "scale_packed", "bitmask", "compressed"};

std::string described(std::string_view what, const TensorInfo& info) {
  return fmt::format("{} is {} {}", what, dtype_name(info.dtype), info.shape.to_string());
}

bool has_dtype(const TensorInfo* info, DType dtype) {
  return info != nullptr && info->dtype == dtype;
}

Stored stored_as(const Module& module, bool packed) {
  switch (module.weight->dtype) {
    case DType::kI32:
      return packed ? Stored::kPacked : Stored::kForeign;
    case DType::kU8:
      if (!packed) return Stored::kForeign;
      if (module.global_scale != nullptr) return Stored::kFloat4Nv;
      return has_dtype(module.scale, DType::kU8) ? Stored::kFloat4Mx : Stored::kForeign;
    case DType::kI8:
      return packed ? Stored::kForeign : Stored::kInteger;
    case DType::kF8E4M3:
      if (packed) return Stored::kForeign;
      return has_dtype(module.scale, DType::kU8) ? Stored::kFloat8Mx : Stored::kFloat8;
    default:
      return !packed && is_weight_float(module.weight->dtype) ? Stored::kFloat : Stored::kForeign;
  }
}

int64_t weight_columns(const Module& module, int bits, int64_t in) {
  if (module.stored == Stored::kPacked) {
    return is_legacy_packing(module, bits, in)
               ? legacy_words(in, bits)
               : static_cast<int64_t>(quant::packed_words(static_cast<size_t>(in), bits));
  }
  return module.fours() ? in / 2 : in;
}

/// [N] for [N, 1] and [] for [1]: some writers squeeze.
bool same_numbers(const Shape& shape, const Shape& expected) {
  if (shape == expected) return true;
  if (expected == Shape{1, 1} && shape.numel() == 1) return true;
  return expected[1] == 1 && shape == Shape{expected[0]};
}

class Misfits {
 public:
  explicit Misfits(const Module& module) : module_(module) {}

  void weight(int bits, int64_t out, int64_t in) {
    const bool packed = module_.stored == Stored::kPacked || module_.fours();
    const int64_t columns = weight_columns(module_, bits, in);
    if (module_.fours() && in % 2 != 0) add(fmt::format("{} input columns, expected pairs", in));
    if (module_.weight->shape == Shape{out, columns}) return;
    add(fmt::format("{}, expected [{}, {}]", described(packed ? "weight_packed" : "weight", *module_.weight),
                    out, columns));
  }

  void scales(const Shape& grid) {
    if (module_.scale == nullptr) return add("weight_scale is missing");
    if (module_.stored == Stored::kFloat4Nv) {
      exact(module_.scale, "weight_scale", DType::kF8E4M3, grid);
      return one_float(module_.global_scale, "weight_global_scale");
    }
    if (module_.stored == Stored::kFloat4Mx || module_.stored == Stored::kFloat8Mx)
      return exact(module_.scale, "weight_scale", DType::kU8, grid);
    if (is_weight_float(module_.scale->dtype) && same_numbers(module_.scale->shape, grid)) return;
    add(fmt::format("{}, expected a float {}", described("weight_scale", *module_.scale), grid.to_string()));
  }

  /// Symmetric ones are dropped by the library, but some writers keep them: all zero, one byte each.
  void zero_points(const WeightCoding& coding, const Shape& grid, int64_t in) {
    const TensorInfo* zeros = module_.zero_point;
    if (zeros == nullptr) {
      if (!coding.symmetric) add("weight_zero_point is missing from asymmetric weights");
      return;
    }
    const bool bytes = zeros->dtype == DType::kI8 && same_numbers(zeros->shape, grid);
    if (bytes) return;
    if (coding.symmetric)
      return add(described("weight_zero_point", *zeros) + ", expected none for symmetric weights");
    const int64_t rows =
        is_legacy_packing(module_, coding.bits, in)
            ? legacy_words(grid[0], coding.bits)
            : static_cast<int64_t>(quant::packed_words(static_cast<size_t>(grid[0]), coding.bits));
    if (module_.stored == Stored::kPacked && zeros->dtype == DType::kI32 &&
        zeros->shape == Shape{rows, grid[1]})
      return;
    const std::string packed =
        module_.stored == Stored::kPacked ? fmt::format(" or I32 [{}, {}]", rows, grid[1]) : "";
    add(fmt::format("{}, expected I8 {}{}", described("weight_zero_point", *zeros), grid.to_string(),
                    packed));
  }

  void group_index(const quant::LinearScheme& scheme, int64_t in) {
    if (module_.group_index == nullptr) return;
    exact(module_.group_index, "weight_g_idx", DType::kI32, Shape{in});
    if (scheme.weight.group_size == 0) add("weight_g_idx of weights without groups");
    if (scheme.activation.group_size != 0)
      add("weight_g_idx with inputs quantized in groups is not supported, expected a scale per token");
  }

  void static_input(bool is_static) {
    if (!is_static) return;
    one_float(module_.input_scale, "input_scale");
    const TensorInfo* zero = module_.input_zero_point;
    if (zero != nullptr && (zero->dtype != DType::kI8 || zero->shape.numel() != 1))
      add(described("input_zero_point", *zero) + ", expected I8 [1]");
  }

  void shape_tensor() {
    if (module_.shape != nullptr) exact(module_.shape, "weight_shape", DType::kI64, Shape{2});
  }

  void add(std::string text) { found.push_back(std::move(text)); }
  std::vector<std::string> found;

 private:
  void exact(const TensorInfo* info, std::string_view what, DType dtype, const Shape& shape) {
    if (info->dtype == dtype && info->shape == shape) return;
    add(fmt::format("{}, expected {} {}", described(what, *info), dtype_name(dtype), shape.to_string()));
  }
  void one_float(const TensorInfo* info, std::string_view what) {
    if (info == nullptr) return add(fmt::format("{} is missing", what));
    if (!is_weight_float(info->dtype) || info->shape.numel() != 1)
      add(fmt::format("{}, expected a float [1]", described(what, *info)));
  }

  const Module& module_;
};

}  // namespace

std::vector<std::string> Module::names() const {
  std::vector<std::string> names;
  for (const TensorInfo* info : {weight, scale, global_scale, shape, zero_point, group_index, input_scale,
                                 input_zero_point, input_global_scale, bias}) {
    if (info != nullptr) names.push_back(info->name);
  }
  return names;
}

Module find_module(const TensorSource& source, std::string_view name) {
  const auto find = [&](std::string_view tensor) { return source.find(fmt::format("{}.{}", name, tensor)); };
  Module module;
  const TensorInfo* packed = find("weight_packed");
  module.weight = packed != nullptr ? packed : find("weight");
  module.bias = find("bias");
  if (module.weight != nullptr) {
    module.scale = find("weight_scale");
    module.global_scale = find("weight_global_scale");
    module.stored = stored_as(module, packed != nullptr);
    if (module.stored == Stored::kForeign)
      module.foreign = described(packed != nullptr ? "weight_packed" : "weight", *module.weight);
  }
  if (module.stored == Stored::kFloat) {
    module.scale = module.global_scale = nullptr;
    return module;
  }
  for (const std::string_view tensor : kForeignTensors) {
    if (find(tensor) == nullptr) continue;
    module.stored = Stored::kForeign;
    module.foreign = fmt::format("it has a tensor \"{}\"", tensor);
  }
  module.shape = find("weight_shape");
  module.zero_point = find("weight_zero_point");
  module.group_index = find("weight_g_idx");
  module.input_scale = find("input_scale");
  module.input_zero_point = find("input_zero_point");
  module.input_global_scale = find("input_global_scale");
  return module;
}

WeightCoding coding_from_tensors(const Module& module) {
  WeightCoding coding{.bits = module.fours() ? 4 : 8, .symmetric = module.zero_point == nullptr};
  if (module.scale == nullptr || module.weight == nullptr || module.weight->shape.rank() != 2) return coding;
  const Shape& scales = module.scale->shape;
  const int64_t out = module.weight->shape[0], in = module.weight->shape[1] * (module.fours() ? 2 : 1);
  if (scales.numel() == 1 && out != 1) {
    coding.block_rows = 0;
  } else if (scales.rank() == 2 && scales[0] == out && scales[1] > 1) {
    coding.block_columns = static_cast<int>(in / scales[1]);
  } else if (scales.rank() == 2 && scales[0] != out) {
    coding.block_rows = coding.block_columns = 128;  // the only size that anybody writes
  }
  return coding;
}

WeightCoding in_numbers(WeightCoding coding, int64_t out, int64_t in) {
  if (coding.block_rows == 0) coding.block_rows = static_cast<int>(out);
  if (coding.block_columns == 0) coding.block_columns = static_cast<int>(in);
  return coding;
}

Shape scale_grid(const WeightCoding& coding, int64_t out, int64_t in) {
  const WeightCoding block = in_numbers(coding, out, in);
  return {(out + block.block_rows - 1) / block.block_rows,
          (in + block.block_columns - 1) / block.block_columns};
}

bool is_legacy_packing(const Module& module, int bits, int64_t in) {
  const auto dense = static_cast<int64_t>(quant::packed_words(static_cast<size_t>(in), bits));
  return module.stored == Stored::kPacked && module.weight->shape.rank() == 2 &&
         module.weight->shape[1] != dense && module.weight->shape[1] == legacy_words(in, bits);
}

std::vector<std::string> quantized_misfits(const Module& module, const WeightCoding& coding,
                                           const quant::LinearScheme& scheme, int64_t out, int64_t in) {
  Misfits misfits(module);
  const Shape grid = scale_grid(coding, out, in);
  misfits.weight(coding.bits, out, in);
  // A block may be cut off at the edge where the weights become floats; the kernels' groups may not.
  const bool whole = coding.block_columns == 0 || in % coding.block_columns == 0;
  if (!whole && (coding.block_rows == 1 || module.integers())) {
    misfits.add(fmt::format("group_size={} does not divide the {} input columns", coding.block_columns, in));
  } else {
    misfits.scales(grid);
    if (module.integers()) misfits.zero_points(coding, grid, in);
  }
  misfits.group_index(scheme, in);
  misfits.static_input(scheme.activation.is_static);
  misfits.shape_tensor();
  return std::move(misfits.found);
}

}  // namespace tessera::formats::compressed_tensors
