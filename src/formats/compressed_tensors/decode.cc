#include "formats/compressed_tensors/decode.h"

#include <algorithm>
#include <cmath>

#include "formats/column_order.h"
#include "formats/compressed_tensors/small_floats.h"
#include "formats/float_weights.h"
#include "quant/bit_packing.h"
#include "quant/integer_codes.h"

namespace tessera::formats::compressed_tensors {
namespace {

Status check_codes(std::string_view name, std::span<const int8_t> codes, int bits) {
  const int low = quant::code_min(bits), high = quant::code_max(bits);
  const auto bad = std::ranges::find_if(codes, [&](int8_t code) { return code < low || code > high; });
  if (bad == codes.end()) return {};
  return data_corrupt("{}: element {} is {}, expected {} to {} with num_bits={}", name, bad - codes.begin(),
                      *bad, low, high, bits);
}

Status check_scales(std::string_view name, std::span<const float> scales) {
  const auto bad =
      std::ranges::find_if(scales, [](float scale) { return !(scale > 0) || std::isinf(scale); });
  if (bad == scales.end()) return {};
  return data_corrupt("{}: element {} is {}, expected a number > 0", name, bad - scales.begin(), *bad);
}

/// A row of words, each with as many whole codes as fit, unsigned as in the dense packing.
void unpack_legacy_row(std::span<const uint32_t> words, int bits, std::span<int8_t> codes) {
  const auto per_word = static_cast<size_t>(32 / bits);
  const uint32_t mask = (1U << bits) - 1U;
  for (size_t k = 0; k < codes.size(); ++k) {
    const uint32_t code = words[k / per_word] >> (k % per_word * static_cast<size_t>(bits)) & mask;
    codes[k] = static_cast<int8_t>(static_cast<int>(code) - (1 << (bits - 1)));
  }
}

void unpack(std::span<const uint32_t> words, bool legacy, int bits, std::span<int8_t> codes) {
  if (legacy) {
    unpack_legacy_row(words, bits, codes);
  } else {
    quant::unpack_row(words, bits, codes);
  }
}

std::span<const uint32_t> words_of(const Tensor& tensor) {
  return {reinterpret_cast<const uint32_t*>(tensor.data()), tensor.bytes() / 4};
}

Result<Tensor> read_packed(const Stock& stock) {
  const Tensor packed = TRY(stock.source.read(stock.module.weight->name));
  Tensor values = TRY(Tensor::allocate(DType::kI8, Shape{stock.out, stock.in}));
  const auto columns = static_cast<size_t>(stock.in), words = static_cast<size_t>(packed.shape()[1]);
  const bool legacy = is_legacy_packing(stock.module, stock.coding.bits, stock.in);
  auto codes = values.as<int8_t>();
  for (size_t row = 0; row < static_cast<size_t>(stock.out); ++row) {
    unpack(words_of(packed).subspan(row * words, words), legacy, stock.coding.bits,
           codes.subspan(row * columns, columns));
  }
  return values;
}

Result<Tensor> read_codes(const Stock& stock) {
  Tensor values = TRY(stock.source.read(stock.module.weight->name));
  TRY_STATUS(check_codes(stock.module.weight->name, std::as_const(values).as<int8_t>(), stock.coding.bits));
  return values;
}

/// As the file has them, one for each scale. Packed ones run along the rows: column g of [rows, groups] is a
/// packed row.
Result<std::vector<int8_t>> read_zero_points(const Stock& stock, const Shape& grid) {
  const TensorInfo& info = *stock.module.zero_point;
  const Tensor stored = TRY(stock.source.read(info.name));
  if (info.dtype == DType::kI8) {
    const auto codes = stored.as<int8_t>();
    TRY_STATUS(check_codes(info.name, codes, stock.coding.bits));
    return std::vector<int8_t>(codes.begin(), codes.end());
  }
  const auto rows = static_cast<size_t>(grid[0]), groups = static_cast<size_t>(grid[1]);
  const auto words = static_cast<size_t>(info.shape[0]);
  const bool legacy = is_legacy_packing(stock.module, stock.coding.bits, stock.in);
  std::vector<uint32_t> column(words);
  std::vector<int8_t> codes(rows), zeros(rows * groups);
  for (size_t group = 0; group < groups; ++group) {
    for (size_t word = 0; word < words; ++word)
      column[word] = words_of(stored)[word * groups + group];
    unpack(column, legacy, stock.coding.bits, codes);
    for (size_t row = 0; row < rows; ++row)
      zeros[row * groups + group] = codes[row];
  }
  return zeros;
}

/// Kept zero points of symmetric weights.
Status check_zeros_are_zero(const Stock& stock) {
  const Tensor stored = TRY(stock.source.read(stock.module.zero_point->name));
  const auto codes = stored.as<int8_t>();
  const auto bad = std::ranges::find_if(codes, [](int8_t code) { return code != 0; });
  if (bad == codes.end()) return {};
  return data_corrupt("{}: element {} is {}, expected 0 for symmetric weights", stock.module.zero_point->name,
                      bad - codes.begin(), *bad);
}

/// One number per block of rows -> one per row.
template <class T>
std::vector<T> for_each_row(std::vector<T> values, const Stock& stock, const Shape& grid) {
  if (stock.coding.block_rows == 1) return values;
  const auto groups = static_cast<size_t>(grid[1]);
  std::vector<T> rows;
  rows.reserve(static_cast<size_t>(stock.out) * groups);
  for (int64_t row = 0; row < stock.out; ++row) {
    const auto first = values.begin() + static_cast<ptrdiff_t>(row / stock.coding.block_rows * grid[1]);
    rows.insert(rows.end(), first, first + static_cast<ptrdiff_t>(groups));
  }
  return rows;
}

/// Of weight_g_idx; an index that was never set (-1) counts as none.
Result<std::vector<int32_t>> read_column_order(const Stock& stock) {
  const TensorInfo& info = *stock.module.group_index;
  const Tensor stored = TRY(stock.source.read(info.name));
  const auto index = stored.as<int32_t>();
  if (std::ranges::find(index, -1) != index.end()) return std::vector<int32_t>();
  return column_order(info.name, index, stock.in / stock.coding.block_columns);
}

/// In float32, one for each block.
Result<std::vector<float>> read_block_scales(const Stock& stock) {
  const Module& module = stock.module;
  if (module.stored == Stored::kFloat8) {
    auto scales = TRY(read_floats(stock.source, *module.scale));
    TRY_STATUS(check_scales(module.scale->name, scales));
    return scales;
  }
  const Tensor stored = TRY(stock.source.read(module.scale->name));
  const std::span bytes(reinterpret_cast<const uint8_t*>(stored.data()), stored.bytes());
  std::vector<float> scales(bytes.size());
  const bool eights = module.stored == Stored::kFloat4Nv;
  std::ranges::transform(bytes, scales.begin(),
                         [&](uint8_t byte) { return eights ? f8e4m3_to_f32(byte) : e8m0_to_f32(byte); });
  TRY_STATUS(check_scales(module.scale->name, scales));
  if (!eights) return scales;
  const auto global = TRY(read_floats(stock.source, *module.global_scale));
  TRY_STATUS(check_scales(module.global_scale->name, global));
  for (float& scale : scales)
    scale /= global[0];
  return scales;
}

}  // namespace

Status decode_integers(const Stock& stock, quant::LinearData& data) {
  const Shape grid = scale_grid(stock.coding, stock.out, stock.in);
  auto scales = TRY(read_floats(stock.source, *stock.module.scale));
  TRY_STATUS(check_scales(stock.module.scale->name, scales));
  data.scales = for_each_row(std::move(scales), stock, grid);
  if (!stock.coding.symmetric) {
    data.zero_points = for_each_row(TRY(read_zero_points(stock, grid)), stock, grid);
  } else if (stock.module.zero_point != nullptr) {
    TRY_STATUS(check_zeros_are_zero(stock));
  }
  data.values = TRY(stock.module.stored == Stored::kPacked ? read_packed(stock) : read_codes(stock));
  data.scheme.transformed = false;
  if (stock.module.group_index == nullptr) return {};
  auto order = TRY(read_column_order(stock));
  if (order.empty()) return {};
  reorder_columns(data.values.as<int8_t>(), order);
  data.scheme.transformed = true;
  data.transform = {quant::ColumnOrder{std::move(order)}};
  return {};
}

Result<Tensor> decode_floats(const Stock& stock) {
  const std::vector<float> scales = TRY(read_block_scales(stock));
  const Tensor stored = TRY(stock.source.read(stock.module.weight->name));
  const auto* bytes = reinterpret_cast<const uint8_t*>(stored.data());
  Tensor values = TRY(Tensor::allocate(DType::kF32, Shape{stock.out, stock.in}));
  float* to = values.as<float>().data();
  const auto eights = f8e4m3_table();
  const bool fours = stock.module.fours();
  const int64_t groups = scale_grid(stock.coding, stock.out, stock.in)[1];
  bool finite = true;
  for (int64_t row = 0; row < stock.out; ++row) {
    const float* row_scales = scales.data() + row / stock.coding.block_rows * groups;
    for (int64_t k = 0; k < stock.in; ++k) {
      const int64_t at = row * stock.in + k;
      const float code = fours ? kF4E2M1[bytes[at / 2] >> (at % 2 * 4) & 15] : eights[bytes[at]];
      to[at] = code * row_scales[k / stock.coding.block_columns];
      finite = finite && std::isfinite(to[at]);
    }
  }
  if (finite) return values;
  return data_corrupt("{}: a weight times its scale is not a finite number", stock.module.weight->name);
}

Result<quant::StaticScale> read_static_input(const TensorSource& source, const Module& module, int bits) {
  const auto scale = TRY(read_floats(source, *module.input_scale));
  TRY_STATUS(check_scales(module.input_scale->name, scale));
  quant::StaticScale input{.scale = scale[0]};
  if (module.input_zero_point == nullptr) return input;
  const Tensor zero = TRY(source.read(module.input_zero_point->name));
  TRY_STATUS(check_codes(module.input_zero_point->name, zero.as<int8_t>(), bits));
  input.zero_point = zero.as<int8_t>()[0];
  return input;
}

}  // namespace tessera::formats::compressed_tensors
