#include "compress/calibrate/layer_inputs.h"

#include <algorithm>

#include "kernels/gemm_s8/pack_s8.h"
#include "kernels/quantize_rows/code_range.h"
#include "kernels/quantize_rows/quantize_rows.h"

namespace tessera::compress {
namespace {

constexpr size_t kFlushRows = 2048;  // rows that one product adds: enough to fill its kernels, little memory

}  // namespace

std::string input_key(const std::string& name) {
  const size_t leaf = name.rfind('.') + 1;
  const std::string_view word = std::string_view(name).substr(leaf);
  const bool attention = word == "q_proj" || word == "k_proj" || word == "v_proj";
  const bool mlp = word == "gate_proj" || word == "up_proj";
  return attention || mlp ? name.substr(0, leaf) : name;
}

void round_activations(const quant::ActivationScheme& scheme, std::span<float> row) {
  if (scheme.bits >= 16) return;
  const auto k = static_cast<int64_t>(row.size()), padded = kernels::padded_k(k);
  const int64_t group = scheme.group_size == 0 ? k : scheme.group_size;
  std::vector<int8_t> codes(static_cast<size_t>(padded));
  std::vector<int32_t> sums(static_cast<size_t>(padded / kernels::kSumBlock));
  std::vector<float> scales(static_cast<size_t>(k / group));
  kernels::quantize_rows({.x = row.data(),
                          .x_stride = k,
                          .rows = 1,
                          .k = k,
                          .range = kernels::code_range(scheme),
                          .group_size = scheme.group_size,
                          .codes = codes.data(),
                          .codes_stride = padded,
                          .scales = scales.data(),
                          .scales_stride = k / group,
                          .block_sums = sums.data(),
                          .sums_stride = padded / kernels::kSumBlock});
  for (size_t i = 0; i < row.size(); ++i)
    row[i] = static_cast<float>(codes[i]) * scales[i / static_cast<size_t>(group)];
}

namespace {

Stage stage_of(const std::string& name) {
  if (name.ends_with(".o_proj")) return Stage::kAttentionOutput;
  if (name.ends_with(".down_proj")) return Stage::kMlpOutput;
  const bool mlp = name.ends_with(".gate_proj") || name.ends_with(".up_proj");
  return mlp ? Stage::kMlpInputs : Stage::kAttentionInputs;
}

}  // namespace

void LayerInputs::watch(const std::string& name, ops::Linear& linear,
                        const quant::ActivationScheme& activation) {
  const std::string key = input_key(name);
  const auto known = std::ranges::find(keys_, key);
  if (known != keys_.end()) {
    inputs_[static_cast<size_t>(known - keys_.begin())]->linears.push_back(name);
    return;
  }
  keys_.push_back(key);
  Input& input = *inputs_.emplace_back(new Input{.linears = {name},
                                                 .stage = stage_of(name),
                                                 .hessian = Hessian(linear.in()),
                                                 .activation = activation,
                                                 .rows = {}});
  linear.observe([this, &input](MatrixView<const float> rows) { add(input, rows); });
}

void LayerInputs::add(Input& input, MatrixView<const float> rows) {
  if (input.stage != stage_) return;
  const auto width = static_cast<size_t>(rows.cols);
  for (int64_t row = 0; row < rows.rows; ++row) {
    input.rows.insert(input.rows.end(), rows.row(row), rows.row(row) + rows.cols);
    round_activations(input.activation, std::span(input.rows).last(width));
    if (input.rows.size() >= kFlushRows * width) flush(input);
  }
}

void LayerInputs::flush(Input& input) {
  const std::lock_guard lock(mutex_);
  input.hessian.add(input.rows.data(), static_cast<int64_t>(input.rows.size()) / input.hessian.size(),
                    algebra_);
  input.rows.clear();
}

std::vector<std::unique_ptr<LayerInputs::Input>> LayerInputs::finish() {
  std::vector<std::unique_ptr<Input>> finished;
  for (auto& input : inputs_) {
    if (input == nullptr || input->stage != stage_) continue;
    flush(*input);
    finished.push_back(std::move(input));
  }
  return finished;
}

}  // namespace tessera::compress
