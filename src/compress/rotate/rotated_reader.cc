#include "compress/rotate/rotated_reader.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "formats/float_weights.h"

namespace tessera::compress {
namespace {

class RotatedReader final : public formats::WeightReader {
 public:
  RotatedReader(std::unique_ptr<formats::WeightReader> floats, const OnlineTransforms& online)
      : floats_(std::move(floats)), online_(online) {}

  std::string_view format_name() const override { return floats_->format_name(); }
  Result<quant::LinearScheme> scheme(std::string_view name, formats::ModuleKind kind) const override {
    quant::LinearScheme scheme = TRY(floats_->scheme(name, kind));
    scheme.transformed = is_transformed(name);
    return scheme;
  }
  std::vector<std::string> tensor_names(std::string_view name, formats::ModuleKind kind) const override {
    return floats_->tensor_names(name, kind);
  }
  Status check(std::string_view name, int64_t out, int64_t in) const override {
    return floats_->check(name, out, in);
  }
  Result<quant::LinearData> read(std::string_view name, int64_t out, int64_t in) const override {
    quant::LinearData data = TRY(floats_->read(name, out, in));
    if (!is_transformed(name)) return data;
    data.scheme.transformed = true;
    data.transform = {quant::BlockHadamard{.size = online_.down_block}};
    return data;
  }
  Result<quant::AttentionData> read_attention(std::string_view /*name*/,
                                              const formats::AttentionHeads& /*heads*/) const override {
    quant::AttentionData data;
    if (online_.head_block == 0) return data;
    data.query_transform = data.key_transform = {quant::BlockHadamard{.size = online_.head_block}};
    return data;
  }

 private:
  bool is_transformed(std::string_view name) const {
    return online_.down_block > 0 && name.ends_with(".down_proj");
  }

  std::unique_ptr<formats::WeightReader> floats_;
  OnlineTransforms online_;
};

}  // namespace

Result<std::unique_ptr<formats::WeightReader>> open_rotated_reader(const formats::TensorSource& source,
                                                                   const OnlineTransforms& online) {
  auto floats = TRY(formats::kFloatWeights.open(nlohmann::json::object(), "", source));
  return std::unique_ptr<formats::WeightReader>(std::make_unique<RotatedReader>(std::move(floats), online));
}

std::vector<formats::compressed_tensors::TransformGroup> online_transforms(const OnlineTransforms& online) {
  using formats::compressed_tensors::TransformGroup;
  using formats::compressed_tensors::TransformLocation;
  std::vector<TransformGroup> groups;
  const auto add = [&groups](std::string name, int64_t block, std::string target) -> TransformGroup& {
    groups.push_back({.name = std::move(name), .block_size = static_cast<int>(block)});
    groups.back().uses.resize(2, {.targets = {std::move(target)}, .ignore = {}});
    return groups.back();
  };
  if (online.head_block > 0) {
    TransformGroup& heads = add("R3", online.head_block, "re:.*self_attn$");
    heads.uses[0].location = TransformLocation::kQuery;
    heads.uses[1].location = TransformLocation::kKey;
  }
  if (online.down_block > 0) {
    TransformGroup& down = add("R4", online.down_block, "re:.*down_proj$");
    down.uses[0].location = TransformLocation::kInput;
    down.uses[1].location = TransformLocation::kWeightInput;
    down.uses[1].inverse = true;
  }
  return groups;
}

}  // namespace tessera::compress
