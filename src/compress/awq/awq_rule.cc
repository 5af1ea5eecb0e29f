#include "compress/awq/awq_rule.h"

#include <algorithm>
#include <cmath>

#include "compress/calibrate/layer_inputs.h"
#include "formats/float_weights.h"
#include "quant/integer_codes.h"

namespace tessera::compress {
namespace {

constexpr int kSteps = 20;

/// s of every channel for the exponent `a`.
std::vector<float> scales_for(const std::vector<float>& means, double a) {
  std::vector<float> scales(means.size());
  std::ranges::transform(means, scales.begin(),
                         [a](float mean) { return std::max(static_cast<float>(std::pow(mean, a)), 1e-4F); });
  const auto [least, most] = std::ranges::minmax(scales);
  const float middle = std::sqrt(least * most);
  for (float& scale : scales)
    scale /= middle;
  return scales;
}

/// One linear of a fold with the rows that it saw, and what it makes of them in float.
class Trial {
 public:
  Trial(const Fold& fold, const LinearToRound& linear, std::vector<float> weight, std::span<const float> rows,
        int64_t in, const quant::Rounding& rounding, const DenseAlgebra& algebra, ThreadPool& pool)
      : fold_(fold),
        linear_(linear),
        rounding_(rounding),
        algebra_(algebra),
        pool_(pool),
        weight_(std::move(weight)),
        rows_(rows),
        in_(static_cast<size_t>(in)),
        out_(weight_.size() / in_),
        tokens_(rows.size() / in_) {
    // y = -W X, to which a trial adds its own W X.
    const std::vector<float> none(in_, 1);
    expected_.resize(out_ * tokens_);
    subtract(weight_, inputs(none, /*rounded=*/false), expected_);
  }

  /// Squared error of all outputs.
  double error(const std::vector<float>& scales) {
    std::vector<float> columns(in_);
    for (size_t i = 0; i < in_; ++i)
      columns[i] = scales[fold_.channel_of(i)];
    std::vector<float> difference = expected_;
    auto x = inputs(columns, /*rounded=*/true);
    for (float& value : x)
      value = -value;
    subtract(rounded_weight(columns), x, difference);
    double sum = 0;
    for (const float value : difference)
      sum += static_cast<double>(value) * static_cast<double>(value);
    return sum;
  }

 private:
  /// c [out, tokens] -= w x
  void subtract(const std::vector<float>& w, const std::vector<float>& x, std::vector<float>& c) const {
    const auto out = static_cast<int64_t>(out_), in = static_cast<int64_t>(in_),
               tokens = static_cast<int64_t>(tokens_);
    algebra_.subtract_product(w.data(), in, x.data(), tokens, c.data(), tokens, out, tokens, in);
  }

  /// Rows over `columns` as columns [in, tokens].
  std::vector<float> inputs(const std::vector<float>& columns, bool rounded) const {
    std::vector<float> result(in_ * tokens_), row(in_);
    for (size_t token = 0; token < tokens_; ++token) {
      for (size_t i = 0; i < in_; ++i)
        row[i] = rows_[token * in_ + i] / columns[i];
      if (rounded) round_activations(linear_.scheme.activation, row);
      for (size_t i = 0; i < in_; ++i)
        result[i * tokens_ + token] = row[i];
    }
    return result;
  }

  std::vector<float> rounded_weight(const std::vector<float>& columns) const {
    const quant::WeightScheme& scheme = linear_.scheme.weight;
    const size_t groups = scheme.group_size == 0 ? 1 : in_ / static_cast<size_t>(scheme.group_size);
    std::vector<float> result(weight_.size());
    pool_.parallel_for(out_, [&](size_t n) {
      const std::span<float> row = std::span(result).subspan(n * in_, in_);
      for (size_t i = 0; i < in_; ++i)
        row[i] = weight_[n * in_ + i] * columns[i];
      std::vector<float> scales(groups);
      std::vector<int8_t> codes(in_);
      const bool finite = quant::encode_row(row, scheme.bits, scheme.group_size, rounding_.scale_dtype,
                                            scales, codes, rounding_.clip);
      CHECK(finite, "{}: read as finite, scaled out of range", linear_.name);
      quant::decode_row(codes, scales, {}, scheme.group_size, row);
    });
    return result;
  }

  const Fold& fold_;
  const LinearToRound& linear_;
  const quant::Rounding& rounding_;
  const DenseAlgebra& algebra_;
  ThreadPool& pool_;
  std::vector<float> weight_;  // [out, in]
  std::span<const float> rows_;
  size_t in_, out_, tokens_;
  std::vector<float> expected_;
};

/// The mean magnitude of each channel; of values that feed several heads, over these.
std::vector<float> mean_of_channels(const FoldView& view) {
  const std::vector<float> columns = view.input().mean();
  std::vector<float> means(static_cast<size_t>(view.fold.channels));
  for (size_t i = 0; i < columns.size(); ++i)
    means[view.fold.channel_of(i)] += columns[i] / static_cast<float>(view.fold.heads_each);
  return means;
}

}  // namespace

ChannelRule awq_rule(const formats::TensorSource& source, const quant::Rounding& rounding,
                     const DenseAlgebra& algebra, ThreadPool& pool) {
  return [&source, &rounding, &algebra, &pool](const FoldView& view) -> Result<std::vector<float>> {
    std::vector<Trial> trials;
    for (const LinearToRound* linear : view.linears) {
      const formats::TensorInfo* info = source.find(linear->name + ".weight");
      CHECK(info != nullptr, "{}", linear->name);
      const auto rows = view.samples.at(input_key(linear->name)).kept();
      if (rows.empty()) continue;
      auto weight = TRY(formats::read_floats(source, *info));
      trials.emplace_back(view.fold, *linear, std::move(weight), rows, info->shape[1], rounding, algebra,
                          pool);
    }
    const std::vector<float> means = mean_of_channels(view);
    std::vector<float> best(means.size(), 1);
    double least = -1;
    for (int step = 0; step <= kSteps; ++step) {
      auto scales = scales_for(means, static_cast<double>(step) / kSteps);
      double error = 0;
      for (Trial& trial : trials)
        error += trial.error(scales);
      if (least >= 0 && error >= least) continue;
      least = error;
      best = std::move(scales);
    }
    return best;
  };
}

}  // namespace tessera::compress
