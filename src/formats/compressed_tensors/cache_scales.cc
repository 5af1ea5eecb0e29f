#include "formats/compressed_tensors/cache_scales.h"

#include <algorithm>
#include <cmath>

#include "formats/float_weights.h"

namespace tessera::formats::compressed_tensors {
namespace {

bool brings_scales(const std::optional<QuantArgs>& scheme) {
  return scheme && scheme->type == "int" && scheme->dynamic == "false";
}

/// As the library writes it since 0.13, and as it did before.
const TensorInfo* scale_of(const TensorSource& source, std::string_view attention, char letter) {
  for (const auto& name : {fmt::format("{}.{}_scale", attention, letter),
                           fmt::format("{}.{}_proj.{}_scale", attention, letter, letter),
                           fmt::format("{}.{}_proj.output_scale", attention, letter)}) {
    if (const TensorInfo* info = source.find(name)) return info;
  }
  return nullptr;
}

Status read_scales(const TensorSource& source, std::string_view attention, char letter, int32_t heads,
                   std::vector<float>& into) {
  const TensorInfo& info = *scale_of(source, attention, letter);
  into = TRY(read_floats(source, info));
  const auto bad = std::ranges::find_if(into, [](float scale) { return !(scale > 0) || std::isinf(scale); });
  if (bad != into.end())
    return data_corrupt("{}: element {} is {}, expected a number > 0", info.name, bad - into.begin(), *bad);
  if (into.size() == 1) into.resize(static_cast<size_t>(heads), into.front());
  return {};
}

}  // namespace

std::string cache_problem(const QuantArgs& scheme) {
  const bool per_head = scheme.strategy == "tensor" || scheme.strategy == "attn_head";
  const bool runs = scheme.num_bits == 8 && scheme.symmetric &&
                    (scheme.dynamic == "false" ? per_head : scheme.dynamic == "true");
  if (runs) return {};
  return fmt::format("kv_cache_scheme of {}{}-bit {}, strategy \"{}\"", scheme.symmetric ? "" : "asymmetric ",
                     scheme.num_bits, scheme.type, scheme.strategy);
}

std::vector<std::string> cache_tensor_names(const TensorSource& source, std::string_view projection) {
  std::vector<std::string> names;
  const size_t dot = projection.rfind('.');
  if (dot == std::string_view::npos) return names;
  const std::string_view attention = projection.substr(0, dot), last = projection.substr(dot + 1);
  if (last.size() != 6 || !last.ends_with("_proj")) return names;
  const char letter = last[0];  // q, k or v
  for (const char* what : {"scale", "zero_point"}) {
    for (std::string tensor :
         {fmt::format("{}.{}_{}", attention, letter, what), fmt::format("{}.{}_{}", projection, letter, what),
          fmt::format("{}.output_{}", projection, what)}) {
      if (source.find(tensor) != nullptr) names.push_back(std::move(tensor));
    }
  }
  return names;
}

std::vector<std::string> cache_misfits(const TensorSource& source, const std::optional<QuantArgs>& scheme,
                                       std::string_view attention, int32_t heads) {
  std::vector<std::string> misfits;
  if (!brings_scales(scheme)) return misfits;
  for (const char letter : {'k', 'v'}) {
    const TensorInfo* info = scale_of(source, attention, letter);
    if (info == nullptr) {
      misfits.push_back(fmt::format("{}_scale of kv_cache_scheme is missing", letter));
    } else if (!is_weight_float(info->dtype) || (info->shape.numel() != 1 && info->shape.numel() != heads)) {
      misfits.push_back(fmt::format("{} is {} {}, expected a float or {}", info->name,
                                    dtype_name(info->dtype), info->shape.to_string(), heads));
    }
  }
  return misfits;
}

Status read_cache_scales(const TensorSource& source, const std::optional<QuantArgs>& scheme,
                         std::string_view attention, int32_t heads, quant::AttentionData& data) {
  data.int8_cache = scheme && scheme->type == "int";
  if (!brings_scales(scheme)) return {};
  TRY_STATUS(read_scales(source, attention, 'k', heads, data.keys.scales));
  return read_scales(source, attention, 'v', heads, data.values.scales);
}

}  // namespace tessera::formats::compressed_tensors
