// AWQ (arXiv 2306.00978) as a rule for folds: s = mean|x|^a, a of {0, 1/20, ..., 1}, normalized so that the
// largest and the smallest s are each other's inverse; the a with the least squared error of the outputs of
// the fold's quantized linears over calibration rows, weights and inputs rounded as they will be. a = 0
// changes nothing, so no fold is made worse on these rows.
#pragma once

#include "compress/gptq/dense_algebra.h"
#include "compress/smooth/channel_scales.h"
#include "quant/rtn.h"

namespace tessera::compress {

constexpr int64_t kAwqRows = 256;  // of each input that the rule wants to see

/// All outlive the rule.
ChannelRule awq_rule(const formats::TensorSource& source, const quant::Rounding& rounding,
                     const DenseAlgebra& algebra, ThreadPool& pool);

}  // namespace tessera::compress
