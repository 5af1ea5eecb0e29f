// Parameters to entries of a packed file and back.
#include <unordered_map>

#include "models/loader/parameters.h"

namespace tessera::models {
namespace {

constexpr const char* kVector = "vector";
constexpr const char* kAttention = "attention";
constexpr const char* kInt8Attention = "attention with an int8 cache";

template <class T>
std::span<const std::byte> bytes_of(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

/// Copied: they are small, and vectors own what they hold.
Status restore_vector(std::span<const std::byte> bytes, int64_t size, std::vector<float>& into) {
  if (!std::cmp_equal(bytes.size(), size * int64_t{sizeof(float)}))
    return data_corrupt("{} bytes, expected {} numbers", bytes.size(), size);
  const auto* begin = reinterpret_cast<const float*>(bytes.data());
  into.assign(begin, begin + size);
  return {};
}

/// None, one number a head, or one a channel; offsets only of channels, and then for each.
Status restore_cache(const formats::AttentionHeads& heads, std::span<const std::byte> scales,
                     std::span<const std::byte> offsets, quant::CacheScales& into) {
  const int64_t channels = int64_t{heads.key} * heads.dim;
  const auto count = static_cast<int64_t>(scales.size() / sizeof(float));
  if (count > 0) TRY_STATUS(restore_vector(scales, count == heads.key ? heads.key : channels, into.scales));
  if (offsets.empty()) return {};
  if (!into.per_channel(heads.key)) return data_corrupt("offsets of {} scales, expected none", count);
  return restore_vector(offsets, channels, into.offsets);
}

/// By name; kDataCorrupt when one is there twice.
Result<std::unordered_map<std::string_view, const formats::PackedEntry*>> by_name(
    std::span<const formats::PackedEntry> entries) {
  std::unordered_map<std::string_view, const formats::PackedEntry*> found;
  for (const formats::PackedEntry& entry : entries) {
    if (!found.emplace(entry.name, &entry).second) return data_corrupt("{} is there twice", entry.name);
  }
  return found;
}

}  // namespace

std::vector<formats::PackedEntry> Parameters::stored() const {
  std::vector<formats::PackedEntry> entries;
  for (const Parameter& parameter : parameters_) {
    formats::PackedEntry entry;
    if (const auto* const* linear = std::get_if<ops::Linear*>(&parameter.into)) {
      entry = (*linear)->stored();
    } else if (const auto* const* embedding = std::get_if<ops::Embedding*>(&parameter.into)) {
      entry = (*embedding)->stored();
    } else {
      const auto& vector = *std::get<std::vector<float>*>(parameter.into);
      entry = {.kind = kVector, .out = parameter.out, .in = parameter.in, .arrays = {bytes_of(vector)}};
      if (parameter.optional_bias != nullptr) entry.bias = bytes_of(*parameter.optional_bias);
    }
    entry.name = parameter.name;
    entries.push_back(std::move(entry));
  }
  for (const Attention& attention : attentions_) {
    const AttentionExtras& extras = *attention.into;
    const auto &query = extras.query_transform, &key = extras.key_transform;
    formats::PackedEntry entry{.name = attention.name,
                               .kind = extras.int8_cache ? kInt8Attention : kAttention,
                               .out = 1,
                               .in = 1,
                               .arrays = {bytes_of(extras.keys.scales), bytes_of(extras.values.scales),
                                          bytes_of(extras.keys.offsets), bytes_of(extras.values.offsets)}};
    if (query != nullptr) entry.transform = formats::pack_steps(query->steps());
    if (key != nullptr) entry.output_transform = formats::pack_steps(key->steps());
    if (query != nullptr || key != nullptr || extras.int8_cache) entries.push_back(std::move(entry));
  }
  return entries;
}

Status Parameters::restore_one(const Parameter& parameter, const formats::PackedEntry& entry,
                               const ops::PackOptions& options, formats::StepReader& steps) {
  if (entry.out != parameter.out || entry.in != parameter.in) {
    return data_corrupt("[{}, {}], expected [{}, {}] by config.json", entry.out, entry.in, parameter.out,
                        parameter.in);
  }
  if (auto* const* linear = std::get_if<ops::Linear*>(&parameter.into)) {
    **linear = TRY(ops::Linear::restore(entry, options, steps));
    return {};
  }
  if (auto* const* embedding = std::get_if<ops::Embedding*>(&parameter.into)) {
    **embedding = TRY(ops::Embedding::restore(entry, options.kind));
    return {};
  }
  if (entry.kind != kVector || entry.arrays.size() != 1)
    return data_corrupt("{:.40} of {} arrays, expected a vector", entry.kind, entry.arrays.size());
  TRY_STATUS(restore_vector(entry.arrays[0], parameter.out, *std::get<std::vector<float>*>(parameter.into)));
  if (entry.bias.empty() || parameter.optional_bias == nullptr) return {};
  return restore_vector(entry.bias, parameter.out, *parameter.optional_bias);
}

Status Parameters::restore_attention(const Attention& attention, const formats::PackedEntry& entry,
                                     const ops::PackOptions& options, formats::StepReader& steps) {
  const auto make = [&](const std::vector<formats::PackedStep>& stored, int32_t heads,
                        std::unique_ptr<const ops::InputTransform>& into) -> Status {
    if (stored.empty()) return {};
    quant::InputTransform read = TRY(steps.read(stored));
    into = TRY(
        ops::InputTransform::make(std::move(read), int64_t{heads} * attention.heads.dim, options.matrices));
    return {};
  };
  AttentionExtras& extras = *attention.into;
  extras.int8_cache = entry.kind == kInt8Attention;
  if (entry.arrays.size() != 4)
    return data_corrupt("{} arrays, expected scales and offsets of keys and of values", entry.arrays.size());
  TRY_STATUS(restore_cache(attention.heads, entry.arrays[0], entry.arrays[2], extras.keys).context("keys"));
  TRY_STATUS(
      restore_cache(attention.heads, entry.arrays[1], entry.arrays[3], extras.values).context("values"));
  TRY_STATUS(make(entry.transform, attention.heads.query, attention.into->query_transform));
  return make(entry.output_transform, attention.heads.key, attention.into->key_transform);
}

Status Parameters::restore(const formats::PackedContents& contents, const ops::PackOptions& options,
                           LoadReport& report) {
  auto entries = TRY(by_name(contents.entries));
  ops::SharedMatrices matrices;
  ops::PackOptions sharing = options;
  sharing.matrices = &matrices;
  formats::StepReader steps;
  for (const Parameter& parameter : parameters_) {
    const auto found = entries.find(parameter.name);
    if (found == entries.end()) return not_found("{} is not in the packed file", parameter.name);
    TRY_STATUS(restore_one(parameter, *found->second, sharing, steps).context(parameter.name));
    account(parameter, report);
    entries.erase(found);
  }
  for (const Attention& attention : attentions_) {
    const auto found = entries.find(attention.name);
    if (found == entries.end()) continue;
    TRY_STATUS(restore_attention(attention, *found->second, sharing, steps).context(attention.name));
    account(attention, report);
    entries.erase(found);
  }
  report.packed_bytes += matrices.bytes();
  if (!entries.empty()) return data_corrupt("{}: nothing reads it", entries.begin()->first);
  return trace_dispatch(options);
}

}  // namespace tessera::models
