// FloatWeights: float weights as one kernel reads them. What is the same for all layouts is here; a Layout
// says how the weights lie and what multiplies them. Integer weights that no kernel runs are dequantized.
//
//   struct Layout {
//     using Element;
//     static constexpr InputForm kInput;
//     static MatrixView<const ...> input(const Operand& x);
//     static int64_t elements(int64_t out, int64_t in);  // with padding, which is 0 before pack()
//     static void pack(const Tensor& values, int64_t first, int64_t rows, int64_t in, Element* all);
//     static void read_row(const Element* all, int64_t index, int64_t in, float* row);
//     static void multiply(const ...& args);  // the kernel's
//     static std::string kernel();
//   };
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/buffer.h"
#include "ops/weights/for_panels.h"
#include "ops/weights/weight_table.h"
#include "quant/dequantize.h"

namespace tessera::ops {

template <class Layout>
class FloatWeights final : public PackedWeights {
 public:
  using Element = typename Layout::Element;

  static int64_t bytes_of(const quant::LinearScheme&, int64_t out, int64_t in) {
    return Layout::elements(out, in) * static_cast<int64_t>(sizeof(Element));
  }

  static Result<std::unique_ptr<const PackedWeights>> pack(quant::LinearData data, ThreadPool& pool) {
    const quant::LinearData floats = TRY(quant::dequantize(std::move(data)));
    auto weights = std::make_unique<FloatWeights>();
    weights->out_ = floats.out;
    weights->in_ = floats.in;
    const auto bytes = static_cast<size_t>(bytes_of(floats.scheme, floats.out, floats.in));
    weights->elements_ = TRY(AlignedBuffer::allocate_lasting(bytes));
    auto* all = weights->elements_.template as<Element>();
    for_panels(floats.out, pool, [&](int64_t, int64_t first, int64_t rows) {
      Layout::pack(floats.values, first, rows, floats.in, all);
    });
    return std::unique_ptr<const PackedWeights>(std::move(weights));
  }

  static Result<std::unique_ptr<const PackedWeights>> restore(const quant::LinearScheme& scheme, int64_t out,
                                                              int64_t in, StoredArrays arrays) {
    auto buffers = TRY(borrow_arrays(arrays, {static_cast<size_t>(bytes_of(scheme, out, in))}));
    auto weights = std::make_unique<FloatWeights>();
    weights->out_ = out;
    weights->in_ = in;
    weights->elements_ = std::move(buffers[0]);
    return std::unique_ptr<const PackedWeights>(std::move(weights));
  }

  InputForm input_form() const override { return Layout::kInput; }

  void multiply(const Operand& x, const Output& y, const Tile& tile) const override {
    const auto input = Layout::input(x);
    Layout::multiply({.x = input.data,
                      .x_stride = input.stride,
                      .w = elements_.template as<Element>(),
                      .n = out_,
                      .k = in_,
                      .bias = y.bias,
                      .y = y.y,
                      .y_stride = y.y_stride,
                      .accumulate = y.accumulate,
                      .row_begin = tile.row_begin,
                      .row_end = tile.row_end,
                      .panel_begin = tile.panel_begin,
                      .panel_end = tile.panel_end});
  }

  int64_t bytes() const override { return static_cast<int64_t>(elements_.size()); }

  std::vector<std::span<const std::byte>> arrays() const override { return {elements_.bytes()}; }

  void read_row(int64_t index, float* out) const override {
    Layout::read_row(elements_.template as<Element>(), index, in_, out);
  }

  std::string_view kernel() const override {
    static const std::string name = Layout::kernel();
    return name;
  }

 private:
  AlignedBuffer elements_;
  int64_t out_ = 0, in_ = 0;
};

}  // namespace tessera::ops
