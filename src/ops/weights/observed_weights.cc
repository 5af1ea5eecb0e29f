#include "ops/weights/observed_weights.h"

#include <utility>

#include "base/check.h"

namespace tessera::ops {
namespace {

class ObservedWeights final : public PackedWeights {
 public:
  ObservedWeights(std::unique_ptr<const PackedWeights> weights, InputObserver observer)
      : weights_(std::move(weights)), observer_(std::move(observer)) {}

  InputForm input_form() const override { return weights_->input_form(); }
  void multiply(const Operand& x, const Output& y, const Tile& tile) const override {
    // Of the tiles that share rows one has the first panel, and operators walk its rows in order.
    if (tile.panel_begin == 0) observer_(x.rows.row_range(tile.row_begin, tile.row_end - tile.row_begin));
    weights_->multiply(x, y, tile);
  }
  int64_t bytes() const override { return weights_->bytes(); }
  void read_row(int64_t index, float* out) const override { weights_->read_row(index, out); }
  std::vector<std::span<const std::byte>> arrays() const override { return weights_->arrays(); }
  std::string_view kernel() const override { return weights_->kernel(); }

 private:
  std::unique_ptr<const PackedWeights> weights_;
  InputObserver observer_;
};

}  // namespace

std::unique_ptr<const PackedWeights> observed_weights(std::unique_ptr<const PackedWeights> weights,
                                                      InputObserver observer) {
  CHECK(weights->input_form() == InputForm::kFloat, "{} does not read float32 rows", weights->kernel());
  return std::make_unique<ObservedWeights>(std::move(weights), std::move(observer));
}

}  // namespace tessera::ops
