#include "compress/rotate/rotated_reader.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "formats/float_weights.h"

namespace tessera::compress {
namespace {

class RotatedReader final : public formats::WeightReader {
 public:
  RotatedReader(std::unique_ptr<formats::WeightReader> floats, int64_t down_block)
      : floats_(std::move(floats)), down_block_(down_block) {}

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
    data.transform = {quant::BlockHadamard{.size = down_block_}};
    return data;
  }

 private:
  bool is_transformed(std::string_view name) const { return down_block_ > 0 && name.ends_with(".down_proj"); }

  std::unique_ptr<formats::WeightReader> floats_;
  int64_t down_block_;
};

}  // namespace

Result<std::unique_ptr<formats::WeightReader>> open_rotated_reader(const RotatedSource& source) {
  auto floats = TRY(formats::kFloatWeights.open(nlohmann::json::object(), "", source));
  return std::unique_ptr<formats::WeightReader>(
      std::make_unique<RotatedReader>(std::move(floats), source.down_block()));
}

std::vector<formats::compressed_tensors::TransformGroup> online_transforms(const RotatedSource& source) {
  using formats::compressed_tensors::TransformLocation;
  if (source.down_block() == 0) return {};
  const std::vector<std::string> targets{"re:.*down_proj$"};
  formats::compressed_tensors::TransformGroup group{.name = "R4",
                                                    .block_size = static_cast<int>(source.down_block())};
  group.uses = {
      {.targets = targets, .ignore = {}, .location = TransformLocation::kInput},
      {.targets = targets, .ignore = {}, .location = TransformLocation::kWeightInput, .inverse = true}};
  return {group};
}

}  // namespace tessera::compress
