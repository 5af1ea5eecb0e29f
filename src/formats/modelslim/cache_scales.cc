#include "formats/modelslim/cache_scales.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "formats/float_weights.h"

namespace tessera::formats::modelslim {
namespace {

constexpr std::string_view kType = "C8";
constexpr std::array<std::string_view, 2> kProjections{"k_proj", "v_proj"};
constexpr std::array<std::string_view, 2> kTensors{"kv_cache_scale", "kv_cache_offset"};

std::string name_of(std::string_view attention, std::string_view projection, std::string_view tensor) {
  return fmt::format("{}.{}.{}", attention, projection, tensor);
}

Status read_side(const TensorSource& source, std::string_view attention, std::string_view projection,
                 quant::CacheScales& into) {
  const TensorInfo& scale = *source.find(name_of(attention, projection, kTensors[0]));
  const TensorInfo& offset = *source.find(name_of(attention, projection, kTensors[1]));
  into.scales = TRY(read_floats(source, scale));
  const auto bad = std::ranges::find_if(into.scales, [](float x) { return !(x > 0); });
  if (bad != into.scales.end()) {
    return data_corrupt("{}: element {} is {}, expected a number > 0", scale.name, bad - into.scales.begin(),
                        *bad);
  }
  into.offsets = TRY(read_floats(source, offset));
  const auto odd = std::ranges::find_if(
      into.offsets, [](float x) { return x != std::nearbyint(x) || x < -128 || x > 127; });
  if (odd != into.offsets.end()) {
    return data_corrupt("{}: element {} is {}, expected a whole number from -128 to 127", offset.name,
                        odd - into.offsets.begin(), *odd);
  }
  if (std::ranges::all_of(into.offsets, [](float x) { return x == 0; })) into.offsets.clear();
  return {};
}

}  // namespace

std::vector<std::string> cache_tensor_names(const TensorSource& source, std::string_view attention) {
  std::vector<std::string> names;
  for (const auto projection : kProjections) {
    for (const auto tensor : kTensors) {
      std::string name = name_of(attention, projection, tensor);
      if (source.find(name) != nullptr) names.push_back(std::move(name));
    }
  }
  return names;
}

std::vector<std::string> cache_misfits(const TensorSource& source, const Description& description,
                                       std::string_view attention, const AttentionHeads& heads) {
  std::vector<std::string> misfits;
  if (cache_tensor_names(source, attention).empty()) return misfits;
  const int64_t channels = int64_t{heads.key} * heads.dim;
  for (const auto projection : kProjections) {
    for (const auto tensor : kTensors) {
      const std::string name = name_of(attention, projection, tensor);
      const TensorInfo* info = source.find(name);
      if (info == nullptr) {
        misfits.push_back(fmt::format("{} is missing from C8", name));
      } else if (!is_weight_float(info->dtype) || info->shape.numel() != channels) {
        misfits.push_back(fmt::format("{} is {} {}, expected {} floats", name, dtype_name(info->dtype),
                                      info->shape.to_string(), channels));
      } else if (const auto type = description.type_of(name); type != kType) {
        misfits.push_back(fmt::format("{} is of type \"{:.100}\", expected {}", name, type, kType));
      }
    }
  }
  return misfits;
}

Status read_cache_scales(const TensorSource& source, std::string_view attention, quant::AttentionData& data) {
  data.int8_cache = !cache_tensor_names(source, attention).empty();
  if (!data.int8_cache) return {};
  TRY_STATUS(read_side(source, attention, kProjections[0], data.keys));
  return read_side(source, attention, kProjections[1], data.values);
}

}  // namespace tessera::formats::modelslim
