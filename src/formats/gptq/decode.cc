#include "formats/gptq/decode.h"

#include <algorithm>
#include <array>
#include <utility>

#include "formats/column_order.h"
#include "formats/float_weights.h"
#include "quant/bit_packing.h"

namespace tessera::formats::gptq {
namespace {

/// Rows (or columns) that are transposed at a time: what is written and read of them fits in the cache.
constexpr int64_t kBlock = 16;

std::span<const uint32_t> words_of(const Tensor& tensor) {
  return {reinterpret_cast<const uint32_t*>(tensor.data()), tensor.bytes() / sizeof(uint32_t)};
}

/// [rows, columns] -> [columns, rows].
template <class T>
std::vector<T> transposed(const std::vector<T>& values, int64_t rows, int64_t columns) {
  std::vector<T> result(values.size());
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column < columns; ++column)
      result[static_cast<size_t>(column * rows + row)] = values[static_cast<size_t>(row * columns + column)];
  }
  return result;
}

/// [out, groups], as codes; empty when all are 0: symmetric weights are stored with the middle code.
Result<std::vector<int8_t>> read_zero_points(const TensorSource& source, const Module& module,
                                             const Layout& layout) {
  const Sizes sizes = sizes_of(module, layout);
  const Tensor stored = TRY(source.read(module.qzeros->name));
  const auto row_words = static_cast<size_t>(module.qzeros->shape[1]), out = static_cast<size_t>(sizes.out);
  // The writer takes 1 off every code of a word by one subtraction, borrows included, and this is its
  // inverse.
  const uint32_t ones = layout.zeros_less_one ? UINT32_MAX / ((1U << sizes.bits) - 1) : 0;
  std::vector<uint32_t> words(row_words);
  std::vector<int8_t> zeros(static_cast<size_t>(sizes.groups) * out);
  for (size_t group = 0; group < static_cast<size_t>(sizes.groups); ++group) {
    std::ranges::transform(words_of(stored).subspan(group * row_words, row_words), words.begin(),
                           [&](uint32_t word) { return word + ones; });
    unpack_outputs(layout, sizes.bits, words, std::span(zeros).subspan(group * out, out));
  }
  if (std::ranges::all_of(zeros, [](int8_t zero) { return zero == 0; })) return std::vector<int8_t>();
  return transposed(zeros, sizes.groups, sizes.out);
}

/// Empty when the inputs of a group lie side by side.
Result<std::vector<int32_t>> read_order(const TensorSource& source, const Module& module,
                                        const Sizes& sizes) {
  if (module.g_idx == nullptr) return std::vector<int32_t>();
  const Tensor stored = TRY(source.read(module.g_idx->name));
  return column_order(module.g_idx->name, stored.as<int32_t>(), sizes.groups);
}

/// [out, groups].
Result<std::vector<float>> read_scales(const TensorSource& source, const Module& module, const Sizes& sizes) {
  const auto scales = TRY(read_floats(source, *module.scales));
  const auto bad = std::ranges::find_if(scales, [](float scale) { return !(scale > 0); });
  if (bad != scales.end())
    return data_corrupt("{}: element {} is {}, expected a number > 0", module.scales->name,
                        bad - scales.begin(), *bad);
  return transposed(scales, sizes.groups, sizes.out);
}

/// Words of inputs [in * bits / 32, out]: a block of columns becomes rows of words, which unpack to rows of
/// codes.
void unpack_inputs(std::span<const uint32_t> words, const Sizes& sizes, std::span<int8_t> codes) {
  const auto out = static_cast<size_t>(sizes.out), in = static_cast<size_t>(sizes.in);
  const size_t column_words = words.size() / out;
  std::vector<uint32_t> block(column_words * kBlock);
  for (size_t first = 0; first < out; first += kBlock) {
    const size_t columns = std::min<size_t>(kBlock, out - first);
    for (size_t row = 0; row < column_words; ++row) {
      for (size_t column = 0; column < columns; ++column)
        block[column * column_words + row] = words[row * out + first + column];
    }
    for (size_t column = 0; column < columns; ++column)
      quant::unpack_row(std::span(block).subspan(column * column_words, column_words), sizes.bits,
                        codes.subspan((first + column) * in, in));
  }
}

/// Words of outputs [in, out / 8]: a block of rows is unpacked, then transposed.
void unpack_rows_of_outputs(std::span<const uint32_t> words, const Layout& layout, const Sizes& sizes,
                            std::span<int8_t> codes) {
  const auto out = static_cast<size_t>(sizes.out), in = static_cast<size_t>(sizes.in);
  const size_t row_words = words.size() / in;
  std::vector<int8_t> block(out * kBlock);
  for (size_t first = 0; first < in; first += kBlock) {
    const size_t rows = std::min<size_t>(kBlock, in - first);
    for (size_t row = 0; row < rows; ++row)
      unpack_outputs(layout, sizes.bits, words.subspan((first + row) * row_words, row_words),
                     std::span(block).subspan(row * out, out));
    for (size_t column = 0; column < out; ++column) {
      for (size_t row = 0; row < rows; ++row)
        codes[column * in + first + row] = block[row * out + column];
    }
  }
}

Result<Tensor> read_codes(const TensorSource& source, const Module& module, const Layout& layout,
                          const Sizes& sizes) {
  const Tensor packed = TRY(source.read(module.qweight->name));
  Tensor values = TRY(Tensor::allocate(DType::kI8, Shape{sizes.out, sizes.in}));
  if (layout.packing == Packing::kInputs) {
    unpack_inputs(words_of(packed), sizes, values.as<int8_t>());
  } else {
    unpack_rows_of_outputs(words_of(packed), layout, sizes, values.as<int8_t>());
  }
  return values;
}

quant::LinearScheme scheme_of(const Sizes& sizes, bool symmetric, bool transformed) {
  quant::LinearScheme scheme;
  scheme.weight = {.bits = kept_width(sizes.bits), .group_size = sizes.group_size(), .symmetric = symmetric};
  scheme.transformed = transformed;
  return scheme;
}

}  // namespace

void unpack_outputs(const Layout& layout, int bits, std::span<const uint32_t> words,
                    std::span<int8_t> codes) {
  if (layout.packing == Packing::kInputs) return quant::unpack_row(words, bits, codes);
  constexpr std::array<size_t, 8> kOrder = {0, 2, 4, 6, 1, 3, 5, 7};
  for (size_t word = 0; word < words.size(); ++word) {
    for (size_t place = 0; place < kOrder.size(); ++place)
      codes[word * kOrder.size() + kOrder[place]] =
          static_cast<int8_t>(static_cast<int>(words[word] >> (4 * place) & 15) - 8);
  }
}

Result<quant::LinearScheme> linear_scheme(const TensorSource& source, const Module& module,
                                          const Layout& layout) {
  const Sizes sizes = sizes_of(module, layout);
  const bool symmetric = TRY(read_zero_points(source, module, layout)).empty();
  return scheme_of(sizes, symmetric, !TRY(read_order(source, module, sizes)).empty());
}

Result<quant::LinearData> decode(const TensorSource& source, const Module& module, const Layout& layout) {
  const Sizes sizes = sizes_of(module, layout);
  quant::LinearData data;
  data.out = sizes.out;
  data.in = sizes.in;
  data.scales = TRY(read_scales(source, module, sizes));
  data.zero_points = TRY(read_zero_points(source, module, layout));
  auto order = TRY(read_order(source, module, sizes));
  data.scheme = scheme_of(sizes, data.zero_points.empty(), !order.empty());
  data.values = TRY(read_codes(source, module, layout, sizes));
  if (order.empty()) return data;
  reorder_columns(data.values.as<int8_t>(), order);
  data.transform = {quant::ColumnOrder{std::move(order)}};
  return data;
}

}  // namespace tessera::formats::gptq
