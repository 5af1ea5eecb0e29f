// A checkpoint that nobody trained: `--load-format dummy` and `bench latency` measure a shape from its
// config.json alone. Deterministic numbers of the right spread in any scheme, made by copying stretches of
// one random pattern, so that a model of a billion weights is there in seconds. Thread-safe.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "formats/tensor_source.h"
#include "formats/weight_format.h"
#include "quant/scheme.h"

namespace tessera::models {

/// Which scheme a linear gets. Routers and embeddings stay bf16, as in published checkpoints.
struct DummyScheme {
  quant::LinearScheme linears;
  std::optional<quant::LinearScheme> narrow;  // o_proj and down_proj, if another
  quant::LinearScheme head;                   // lm_head; a tied one is the embedding, which is bf16
};

/// "bf16", "w4a8", "w4a4-g128", "w4a16-g32-asym", "w4a4-w8a8" (o_proj and down_proj at w8a8); the suffixes
/// _int8 and _int4 of --quantization are ignored. `head`: "none" (bf16) or such a name.
Result<DummyScheme> parse_dummy_scheme(std::string_view scheme, std::string_view head = "none");

class DummySource final : public formats::TensorSource {
 public:
  /// `tensors`: what a float checkpoint of the model has; F32 or BF16.
  explicit DummySource(std::vector<formats::TensorInfo> tensors);

  using TensorSource::read;
  std::span<const formats::TensorInfo> tensors() const override { return tensors_; }
  const formats::TensorInfo* find(std::string_view name) const override;
  /// BF16: normal around 0, deviation 0.02. F32 (norms): ones.
  Status read(const formats::TensorInfo& info, std::span<std::byte> out) const override;

 private:
  std::vector<formats::TensorInfo> tensors_;
  std::unordered_map<std::string_view, size_t> by_name_;  // views into tensors_
};

class DummyReader final : public formats::WeightReader {
 public:
  DummyReader(const DummySource& source, DummyScheme scheme) : source_(source), scheme_(scheme) {}

  std::string_view format_name() const override { return "dummy"; }
  Result<quant::LinearScheme> scheme(std::string_view name, formats::ModuleKind kind) const override;
  std::vector<std::string> tensor_names(std::string_view name, formats::ModuleKind kind) const override;
  Status check(std::string_view name, int64_t out, int64_t in) const override;
  Result<quant::LinearData> read(std::string_view name, int64_t out, int64_t in) const override;

 private:
  const DummySource& source_;
  DummyScheme scheme_;
};

}  // namespace tessera::models
