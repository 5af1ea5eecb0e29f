#include "models/loader/dummy_checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>
#include <utility>

#include "formats/float_weights.h"
#include "quant/integer_codes.h"
#include "tensor/float_convert.h"

namespace tessera::models {
namespace {

constexpr float kDeviation = 0.02F;  // of weights: what models are initialised with
// Absmax of a channel of a few thousand normal numbers is about 3.7 deviations, of a group of 32 about 2.2.
constexpr float kCodesPerDeviation = 3.2F;
// Longer than any row but few, so that it stays in the second-level cache; prime, so that rows never align.
constexpr size_t kPatternSize = 262'139;

/// Rows start anywhere in the pattern: splitmix64's mixing of tensor and row.
size_t pattern_offset(uint64_t seed, int64_t row) {
  uint64_t z = seed + 0x9e3779b97f4a7c15U * static_cast<uint64_t>(row + 1);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return (z ^ (z >> 31)) % kPatternSize;
}

uint64_t seed_of(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a: std::hash differs between libraries
  for (const char c : name)
    hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3U;
  return hash;
}

/// Normal numbers of deviation 1, each passed through `convert`.
template <class T, class Convert>
std::vector<T> make_pattern(const Convert& convert) {
  std::vector<T> pattern(kPatternSize);
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (T& value : pattern)
    value = convert(normal(random));
  return pattern;
}

std::vector<int8_t> code_pattern(int bits) {
  const float deviation = static_cast<float>(quant::code_max(bits)) / kCodesPerDeviation;
  return make_pattern<int8_t>([&](float x) {
    const float code = std::clamp(std::nearbyint(x * deviation), static_cast<float>(quant::code_min(bits)),
                                  static_cast<float>(quant::code_max(bits)));
    return static_cast<int8_t>(code);
  });
}

/// `to` [rows, cols] from stretches of `pattern`.
template <class T>
void fill_rows(const std::vector<T>& pattern, uint64_t seed, int64_t rows, int64_t cols, T* to) {
  for (int64_t row = 0; row < rows; ++row) {
    size_t at = pattern_offset(seed, row);
    for (auto left = static_cast<size_t>(cols); left > 0;) {
      const size_t count = std::min(left, pattern.size() - at);
      std::memcpy(to, pattern.data() + at, count * sizeof(T));
      to += count;
      left -= count;
      at = 0;
    }
  }
}

const std::vector<uint16_t>& bf16_pattern() {
  static const auto pattern = make_pattern<uint16_t>([](float x) { return f32_to_bf16(x * kDeviation); });
  return pattern;
}

const std::vector<int8_t>& codes_of(int bits) {
  static const auto four = code_pattern(4), eight = code_pattern(8);
  return bits == 4 ? four : eight;
}

std::string_view leaf_of(std::string_view name) {
  return name.substr(name.rfind('.') + 1);  // npos + 1 is 0
}

/// Takes "PREFIXnumber" off the front of `text`.
bool take(std::string_view& text, std::string_view prefix, int& number) {
  if (!text.starts_with(prefix)) return false;
  const char* begin = text.data() + prefix.size();
  const auto [end, error] = std::from_chars(begin, text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

Result<quant::LinearScheme> parse_scheme(std::string_view name) {
  quant::LinearScheme scheme;
  if (name == "bf16" || name == "none") return scheme;
  std::string_view rest = name;
  quant::WeightScheme& weight = scheme.weight;
  quant::ActivationScheme& activation = scheme.activation;
  bool good = take(rest, "w", weight.bits) && take(rest, "a", activation.bits);
  if (rest.starts_with("-g")) good = take(rest, "-g", weight.group_size) && weight.group_size > 0 && good;
  if (rest == "-asym") {
    weight.symmetric = false;
    rest = {};
  }
  good = good && rest.empty() && (weight.bits == 4 || weight.bits == 8) &&
         (activation.bits == 4 || activation.bits == 8 || activation.bits == 16);
  if (!good) {
    return invalid_argument(
        "scheme \"{:.60}\": expected bf16, or weights and activations such as w4a8, w8a16, w4a4-g128", name);
  }
  if (activation.bits == 4) activation.rule = quant::ActivationRule::kTwoSided;
  return scheme;
}

}  // namespace

Result<DummyScheme> parse_dummy_scheme(std::string_view scheme, std::string_view head) {
  for (const std::string_view suffix : {"_int8", "_int4"}) {
    if (scheme.ends_with(suffix)) scheme.remove_suffix(suffix.size());
  }
  DummyScheme parsed;
  parsed.head = TRY(parse_scheme(head));
  if (const size_t second = scheme.find("-w"); second != std::string_view::npos) {
    parsed.narrow = TRY(parse_scheme(scheme.substr(second + 1)));
    scheme = scheme.substr(0, second);
  }
  parsed.linears = TRY(parse_scheme(scheme));
  return parsed;
}

DummySource::DummySource(std::vector<formats::TensorInfo> tensors) : tensors_(std::move(tensors)) {
  for (size_t i = 0; i < tensors_.size(); ++i)
    by_name_.emplace(tensors_[i].name, i);
}

const formats::TensorInfo* DummySource::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

Status DummySource::read(const formats::TensorInfo& info, std::span<std::byte> out) const {
  if (info.dtype == DType::kF32) {
    auto* values = reinterpret_cast<float*>(out.data());
    std::fill_n(values, out.size() / sizeof(float), 1.0F);
    return {};
  }
  CHECK(info.dtype == DType::kBF16, "{} is {}", info.name, dtype_name(info.dtype));
  const int64_t cols = info.shape[info.shape.rank() - 1];
  fill_rows(bf16_pattern(), seed_of(info.name), info.shape.numel() / cols, cols,
            reinterpret_cast<uint16_t*>(out.data()));
  return {};
}

Result<quant::LinearScheme> DummyReader::scheme(std::string_view name, formats::ModuleKind kind) const {
  const std::string_view leaf = leaf_of(name);
  if (kind == formats::ModuleKind::kEmbedding || leaf == "gate") return quant::LinearScheme{};
  if (leaf == "lm_head") return scheme_.head;
  const bool narrow = leaf == "o_proj" || leaf == "down_proj";
  return narrow && scheme_.narrow ? *scheme_.narrow : scheme_.linears;
}

std::vector<std::string> DummyReader::tensor_names(std::string_view name,
                                                   formats::ModuleKind /*kind*/) const {
  return {fmt::format("{}.weight", name), fmt::format("{}.bias", name)};
}

Status DummyReader::check(std::string_view name, int64_t out, int64_t in) const {
  const quant::LinearScheme scheme = TRY(this->scheme(name, formats::ModuleKind::kLinear));
  const int group = scheme.weight.group_size;
  if (group != 0 && in % group != 0) {
    return invalid_argument("{}: scheme {} of [{}, {}], expected groups that divide the inputs", name,
                            scheme.name(), out, in);
  }
  return {};
}

Result<quant::LinearData> DummyReader::read(std::string_view name, int64_t out, int64_t in) const {
  const quant::LinearScheme scheme = TRY(this->scheme(name, formats::ModuleKind::kLinear));
  if (scheme.is_float()) return formats::read_float_linear(source_, name, out, in);
  quant::LinearData data;
  data.scheme = scheme;
  data.out = out;
  data.in = in;
  data.values = TRY(Tensor::allocate(DType::kI8, Shape{out, in}));
  const uint64_t seed = seed_of(name);
  fill_rows(codes_of(scheme.weight.bits), seed, out, in, data.values.as<int8_t>().data());
  const auto scales = static_cast<size_t>(out * data.groups());
  const float scale =
      kDeviation * kCodesPerDeviation / static_cast<float>(quant::code_max(scheme.weight.bits));
  data.scales.resize(scales);
  for (size_t i = 0; i < scales; ++i)  // as scales vary among channels: within some percent
    data.scales[i] = scale * (0.9F + 0.2F * static_cast<float>((seed + i * 7) % 16) / 16.0F);
  if (!scheme.weight.symmetric) {
    data.zero_points.resize(scales);
    for (size_t i = 0; i < scales; ++i)
      data.zero_points[i] = static_cast<int8_t>(static_cast<int>((seed + i * 5) % 5) - 2);
  }
  data.bias = TRY(formats::read_bias(source_, name));
  return data;
}

}  // namespace tessera::models
