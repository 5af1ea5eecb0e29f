#include "ops/linear.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "kernels/gemm_f/gemm_bf16.h"
#include "kernels/gemm_f/gemm_f32.h"
#include "kernels/gemm_s8/gemm_s8.h"
#include "quant/dequantize.h"
#include "tensor/float_convert.h"

namespace tessera::ops {
namespace {

using kernels::kPanel;

/// Calls body(panel, first_row, rows) for every panel of `out` rows.
template <class Body>
void for_panels(int64_t out, ThreadPool& pool, const Body& body) {
  pool.parallel_for(static_cast<size_t>(kernels::panels(out)), [&](size_t task) {
    const auto panel = static_cast<int64_t>(task);
    const int64_t first = panel * kPanel;
    body(panel, first, std::min(kPanel, out - first));
  });
}

void pack_panel_f32(const Tensor& values, int64_t first, int64_t rows, int64_t in, float* panel) {
  const int64_t at = first * in;
  if (values.dtype() == DType::kF32) {
    kernels::pack_f32_panel(values.as<float>().data() + at, in, rows, in, panel);
  } else if (values.dtype() == DType::kBF16) {
    kernels::pack_f32_panel_from_bf16(values.as<uint16_t>().data() + at, in, rows, in, panel);
  } else {
    kernels::pack_f32_panel_from_f16(values.as<uint16_t>().data() + at, in, rows, in, panel);
  }
}

void pack_panel_bf16(const Tensor& values, int64_t first, int64_t rows, int64_t in, uint16_t* panel) {
  const int64_t at = first * in;
  if (values.dtype() == DType::kF32) {
    kernels::pack_bf16_panel_from_f32(values.as<float>().data() + at, in, rows, in, panel);
  } else if (values.dtype() == DType::kBF16) {
    kernels::pack_bf16_panel(values.as<uint16_t>().data() + at, in, rows, in, panel);
  } else {
    kernels::pack_bf16_panel_from_f16(values.as<uint16_t>().data() + at, in, rows, in, panel);
  }
}

}  // namespace

Result<Linear> Linear::pack(quant::LinearData data, FloatKind kind, ThreadPool& pool) {
  Linear linear;
  linear.scheme_ = data.scheme;
  linear.out_ = data.out;
  linear.in_ = data.in;
  if (!data.bias.empty()) {
    linear.bias_ = TRY(AlignedBuffer::allocate(data.bias.size() * sizeof(float)));
    std::memcpy(linear.bias_.data(), data.bias.data(), data.bias.size() * sizeof(float));
  }
  if (data.scheme.is_float()) {
    TRY_STATUS(linear.pack_float(data, kind, pool));
  } else if (data.scheme.activation.bits == 16) {
    quant::LinearData dequantized = TRY(quant::dequantize(std::move(data)));
    TRY_STATUS(linear.pack_float(dequantized, kind, pool));
  } else {
    TRY_STATUS(linear.pack_integer(data, pool));
  }
  return linear;
}

Status Linear::check(const quant::LinearScheme& scheme, int64_t in) {
  // Float weights, and integer ones that are dequantized, run in any shape.
  if (scheme.is_float() || scheme.activation.bits == 16) return {};
  const auto& weight = scheme.weight;
  if (!weight.symmetric)
    return unsupported("scheme {}: zero points, expected symmetric weights", scheme.name());
  if (in > kernels::kMaxGemmS8K) {
    return unsupported("scheme {}: {} inputs, expected at most {}", scheme.name(), in, kernels::kMaxGemmS8K);
  }
  if (weight.group_size % kernels::kSumBlock != 0) {
    return unsupported("scheme {}: groups of {}, expected a multiple of {}", scheme.name(), weight.group_size,
                       kernels::kSumBlock);
  }
  return {};
}

Status Linear::pack_integer(const quant::LinearData& data, ThreadPool& pool) {
  TRY_STATUS(check(data.scheme, data.in));
  storage_ = Storage::kInteger;
  const int bits = data.scheme.weight.bits;
  const int64_t panel_bytes = kernels::packed_s8_panel_bytes(in_, bits);
  const size_t scale_count = static_cast<size_t>(data.groups() * kernels::padded_n(out_));
  tiles_ = TRY(AlignedBuffer::allocate(static_cast<size_t>(kernels::panels(out_) * panel_bytes)));
  scales_ = TRY(AlignedBuffer::allocate(scale_count * sizeof(float)));
  const int8_t* codes = data.values.as<int8_t>().data();
  for_panels(out_, pool, [&](int64_t panel, int64_t first, int64_t rows) {
    kernels::pack_s8_panel(codes + first * in_, in_, rows, in_, bits,
                           tiles_.as<uint8_t>() + panel * panel_bytes);
  });
  kernels::pack_scales(data.scales.data(), out_, data.groups(), scales_.as<float>());
  return {};
}

Status Linear::pack_float(const quant::LinearData& data, FloatKind kind, ThreadPool& pool) {
  const auto panel_count = static_cast<size_t>(kernels::panels(out_));
  if (kind == FloatKind::kF32) {
    storage_ = Storage::kF32;
    const int64_t panel_floats = kernels::packed_f32_panel_floats(in_);
    tiles_ = TRY(AlignedBuffer::allocate(panel_count * static_cast<size_t>(panel_floats) * sizeof(float)));
    for_panels(out_, pool, [&](int64_t panel, int64_t first, int64_t rows) {
      pack_panel_f32(data.values, first, rows, in_, tiles_.as<float>() + panel * panel_floats);
    });
    return {};
  }
  storage_ = Storage::kBf16;
  const int64_t panel_elements = kernels::packed_bf16_panel_elements(in_);
  tiles_ = TRY(AlignedBuffer::allocate(panel_count * static_cast<size_t>(panel_elements) * sizeof(uint16_t)));
  for_panels(out_, pool, [&](int64_t panel, int64_t first, int64_t rows) {
    pack_panel_bf16(data.values, first, rows, in_, tiles_.as<uint16_t>() + panel * panel_elements);
  });
  return {};
}

int64_t Linear::packed_bytes() const {
  return static_cast<int64_t>(tiles_.size() + scales_.size() + bias_.size());
}

void Linear::read_row(int64_t index, float* out) const {
  CHECK(storage_ != Storage::kInteger, "rows of {} weights are not read", scheme_.name());
  const int64_t panel = index / kPanel, lane = index % kPanel;
  if (storage_ == Storage::kF32) {
    const float* tile = tiles_.as<float>() + panel * kernels::packed_f32_panel_floats(in_);
    for (int64_t k = 0; k < in_; ++k)
      out[k] = tile[k * kPanel + lane];
    return;
  }
  const uint16_t* tile = tiles_.as<uint16_t>() + panel * kernels::packed_bf16_panel_elements(in_);
  for (int64_t k = 0; k < in_; ++k)
    out[k] = bf16_to_f32(tile[((k / 2) * kPanel + lane) * 2 + k % 2]);
}

/// A call with its operands made ready, split into panel ranges.
class LinearRun {
 public:
  LinearRun(const LinearCall& call, LinearInput& input, ThreadPool& pool)
      : linear_(*call.linear), y_(call.y), rows_(input.rows()) {
    CHECK(linear_.in() == rows_.cols && y_.rows == rows_.rows && y_.cols == linear_.out(),
          "linear [{}, {}] over [{}, {}] into [{}, {}]", linear_.out(), linear_.in(), rows_.rows, rows_.cols,
          y_.rows, y_.cols);
    if (linear_.storage_ == Linear::Storage::kInteger)
      codes_ = input.quantized(linear_.scheme_.activation, pool);
    if (linear_.storage_ == Linear::Storage::kBf16) bf16_ = input.bf16(pool);
  }

  int64_t panels() const { return kernels::panels(linear_.out()); }

  void run(int64_t panel_begin, int64_t panel_end) const {
    const float* bias = linear_.bias_.empty() ? nullptr : linear_.bias_.as<float>();
    switch (linear_.storage_) {
      case Linear::Storage::kInteger:
        return kernels::gemm_s8({.x = codes_,
                                 .w = {.tiles = linear_.tiles_.as<uint8_t>(),
                                       .scales = linear_.scales_.as<float>(),
                                       .n = linear_.out_,
                                       .k = linear_.in_,
                                       .bits = linear_.scheme_.weight.bits,
                                       .group_size = linear_.scheme_.weight.group_size},
                                 .x_bits = linear_.scheme_.activation.bits,
                                 .bias = bias,
                                 .y = y_.data,
                                 .y_stride = y_.stride,
                                 .row_end = y_.rows,
                                 .panel_begin = panel_begin,
                                 .panel_end = panel_end});
      case Linear::Storage::kBf16:
        return kernels::gemm_bf16({.x = bf16_.data,
                                   .x_stride = bf16_.stride,
                                   .w = linear_.tiles_.as<uint16_t>(),
                                   .n = linear_.out_,
                                   .k = linear_.in_,
                                   .bias = bias,
                                   .y = y_.data,
                                   .y_stride = y_.stride,
                                   .row_end = y_.rows,
                                   .panel_begin = panel_begin,
                                   .panel_end = panel_end});
      case Linear::Storage::kF32:
        return kernels::gemm_f32({.x = rows_.data,
                                  .x_stride = rows_.stride,
                                  .w = linear_.tiles_.as<float>(),
                                  .n = linear_.out_,
                                  .k = linear_.in_,
                                  .bias = bias,
                                  .y = y_.data,
                                  .y_stride = y_.stride,
                                  .row_end = y_.rows,
                                  .panel_begin = panel_begin,
                                  .panel_end = panel_end});
    }
  }

 private:
  const Linear& linear_;
  MatrixView<float> y_;
  MatrixView<const float> rows_;
  kernels::QuantizedRows codes_;
  MatrixView<const uint16_t> bf16_;
};

void run_linears(LinearInput& input, std::span<const LinearCall> calls, ThreadPool& pool) {
  if (input.rows().rows == 0) return;
  std::vector<LinearRun> runs;
  runs.reserve(calls.size());
  int64_t panels = 0;
  for (const LinearCall& call : calls) {
    runs.emplace_back(call, input, pool);
    panels += runs.back().panels();
  }
  // Four tasks a worker even out what the cores are disturbed by; fours of panels are what the kernels like
  // at few rows.
  const int64_t chunk = std::max<int64_t>(4, (panels / (int64_t{4} * pool.size()) + 3) / 4 * 4);
  struct Task {
    const LinearRun* run;
    int64_t begin, end;
  };
  std::vector<Task> tasks;
  for (const LinearRun& run : runs) {
    for (int64_t begin = 0; begin < run.panels(); begin += chunk)
      tasks.push_back({&run, begin, std::min(begin + chunk, run.panels())});
  }
  pool.parallel_for(tasks.size(), [&](size_t i) { tasks[i].run->run(tasks[i].begin, tasks[i].end); });
}

}  // namespace tessera::ops
