#include "ops/linear.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "base/check.h"
#include "kernels/gemm_s8/pack_s8.h"
#include "ops/parallel_rows.h"
#include "ops/weights/weight_table.h"

namespace tessera::ops {

Result<Linear> Linear::pack(quant::LinearData data, const PackOptions& options, ThreadPool& pool) {
  const WeightKind* kind = TRY(choose_weight_kind(data.scheme, data.in, options));
  Linear linear;
  linear.scheme_ = data.scheme;
  linear.input_scale_ = data.input;
  linear.out_ = data.out;
  linear.in_ = data.in;
  if (!data.bias.empty()) {
    linear.bias_ = TRY(AlignedBuffer::allocate_lasting(data.bias.size() * sizeof(float)));
    std::memcpy(linear.bias_.data(), data.bias.data(), data.bias.size() * sizeof(float));
  }
  if (!data.transform.empty())
    linear.transform_ = TRY(InputTransform::make(std::move(data.transform), data.in, options.matrices));
  if (!data.output_transform.empty()) {
    linear.output_transform_ =
        TRY(InputTransform::make(std::move(data.output_transform), data.out, options.matrices));
  }
  linear.kind_ = kind;
  linear.weights_ = TRY(kind->pack(std::move(data), pool));
  return linear;
}

formats::PackedEntry Linear::stored() const {
  formats::PackedEntry entry{.kind = std::string(kind_->name),
                             .scheme = scheme_,
                             .input = input_scale_,
                             .out = out_,
                             .in = in_,
                             .arrays = weights_->arrays(),
                             .bias = bias_.bytes()};
  if (transform_ != nullptr) entry.transform = formats::pack_steps(transform_->steps());
  if (output_transform_ != nullptr) entry.output_transform = formats::pack_steps(output_transform_->steps());
  return entry;
}

Result<Linear> Linear::restore(const formats::PackedEntry& entry, const PackOptions& options,
                               formats::StepReader& steps) {
  Linear linear;
  linear.kind_ = find_weight_kind(entry.kind);
  if (linear.kind_ == nullptr)
    return unsupported("weights for {:.40}, which this version does not have", entry.kind);
  if (const std::string why = linear.kind_->refusal(entry.scheme, entry.in, options.kind); !why.empty())
    return data_corrupt("{} weights for {}: {}", entry.scheme.name(), entry.kind, why);
  if (!entry.bias.empty() && !std::cmp_equal(entry.bias.size(), entry.out * int64_t{sizeof(float)}))
    return data_corrupt("a bias of {} bytes for {} outputs", entry.bias.size(), entry.out);
  linear.scheme_ = entry.scheme;
  linear.input_scale_ = entry.input;
  linear.out_ = entry.out;
  linear.in_ = entry.in;
  linear.bias_ = AlignedBuffer::borrow(entry.bias);
  const auto make = [&](const std::vector<formats::PackedStep>& stored,
                        int64_t columns) -> Result<std::unique_ptr<const InputTransform>> {
    if (stored.empty()) return nullptr;
    return InputTransform::make(TRY(steps.read(stored)), columns, options.matrices);
  };
  linear.transform_ = TRY(make(entry.transform, entry.in));
  linear.output_transform_ = TRY(make(entry.output_transform, entry.out));
  linear.weights_ = TRY(linear.kind_->restore(entry.scheme, entry.out, entry.in, entry.arrays));
  return linear;
}

Status Linear::check(const quant::LinearScheme& scheme, int64_t in) {
  const auto kind = choose_weight_kind(scheme, in, {});
  if (!kind) return kind.error();
  return {};
}

void Linear::observe(InputObserver observer) {
  weights_ = observed_weights(std::move(weights_), std::move(observer));
}

int64_t Linear::packed_bytes() const {
  return (weights_ == nullptr ? 0 : weights_->bytes()) + static_cast<int64_t>(bias_.size()) +
         (transform_ == nullptr ? 0 : transform_->bytes()) +
         (output_transform_ == nullptr ? 0 : output_transform_->bytes());
}

Operand Linear::operand(LinearInput& shared, ThreadPool& pool) const {
  LinearInput& input = transform_ == nullptr ? shared : shared.transformed(*transform_, pool);
  switch (weights_->input_form()) {
    case InputForm::kFloat:
      return {.rows = input.rows()};
    case InputForm::kBf16:
      return {.bf16 = input.bf16(pool)};
    case InputForm::kCodes:
      return {.codes = input.quantized(scheme_.activation, input_scale_, pool)};
  }
  return {};
}

namespace {

/// A call with its operand made ready.
struct Run {
  const Linear* linear;
  Operand x;
  MatrixView<float> y;

  int64_t panels() const { return kernels::panels(linear->out()); }
  void run(int64_t panel_begin, int64_t panel_end) const {
    linear->weights().multiply(x, {.bias = linear->bias(), .y = y.data, .y_stride = y.stride},
                               {.row_end = y.rows, .panel_begin = panel_begin, .panel_end = panel_end});
  }
};

Run make_run(const LinearCall& call, LinearInput& input, ThreadPool& pool) {
  const Linear& linear = *call.linear;
  const MatrixView<const float> x = input.rows();
  CHECK(linear.in() == x.cols && call.y.rows == x.rows && call.y.cols == linear.out(),
        "linear [{}, {}] over [{}, {}] into [{}, {}]", linear.out(), linear.in(), x.rows, x.cols, call.y.rows,
        call.y.cols);
  return {&linear, linear.operand(input, pool), call.y};
}

}  // namespace

void run_linears(LinearInput& input, std::span<const LinearCall> calls, ThreadPool& pool) {
  if (input.rows().rows == 0) return;
  std::vector<Run> runs;
  runs.reserve(calls.size());
  int64_t panels = 0;
  for (const LinearCall& call : calls) {
    runs.push_back(make_run(call, input, pool));
    panels += runs.back().panels();
  }
  // Four tasks a worker even out what the cores are disturbed by; fours of panels are what the kernels like
  // at few rows.
  const int64_t chunk = std::max<int64_t>(4, (panels / (int64_t{4} * pool.size()) + 3) / 4 * 4);
  struct Task {
    const Run* run;
    int64_t begin, end;
  };
  std::vector<Task> tasks;
  for (const Run& run : runs) {
    for (int64_t begin = 0; begin < run.panels(); begin += chunk)
      tasks.push_back({&run, begin, std::min(begin + chunk, run.panels())});
  }
  pool.parallel_for(tasks.size(), [&](size_t i) { tasks[i].run->run(tasks[i].begin, tasks[i].end); });
  for (const Run& run : runs) {
    const InputTransform* transform = run.linear->output_transform();
    if (transform == nullptr) continue;
    parallel_rows(pool, run.y.rows, run.y.cols, [&](int64_t begin, int64_t end) {
      transform->apply_in_place(run.y.row_range(begin, end - begin));
    });
  }
}

}  // namespace tessera::ops
