// The kinds of packed weights, in the order in which they are tried: the first one that does not refuse takes
// a Linear's weights. A new kind is one file in this folder and one line in weight_table.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/thread_pool.h"
#include "ops/packed_weights.h"
#include "ops/weights/stored_arrays.h"
#include "quant/linear_data.h"

namespace tessera::ops {

struct WeightKind {
  std::string_view name;  // of its kernel's folder or file
  WeightLayout layout;
  /// Why it does not take weights of `in` columns in this scheme; empty when it does.
  std::string (*refusal)(const quant::LinearScheme& scheme, int64_t in, FloatKind kind);
  /// Of weights [out, in] that it does not refuse, before there are any: what bytes() of the packed ones will
  /// say.
  int64_t (*bytes)(const quant::LinearScheme& scheme, int64_t out, int64_t in);
  /// Packs weights that it does not refuse, and frees them.
  Result<std::unique_ptr<const PackedWeights>> (*pack)(quant::LinearData data, ThreadPool& pool);
  /// The weights [out, in] whose arrays() these are, in a scheme that it does not refuse. Nothing is copied:
  /// the arrays outlive the weights. kDataCorrupt when their lengths are not those of such weights.
  Result<std::unique_ptr<const PackedWeights>> (*restore)(const quant::LinearScheme& scheme, int64_t out,
                                                          int64_t in, StoredArrays arrays);
};

std::span<const WeightKind* const> weight_kinds();

/// The kind of this name; nullptr when there is none.
const WeightKind* find_weight_kind(std::string_view name);

/// The kind that takes such weights: the first of the wanted layout, else the first of the other one;
/// kUnsupported says what the first one of the wanted layout has against them.
Result<const WeightKind*> choose_weight_kind(const quant::LinearScheme& scheme, int64_t in,
                                             const PackOptions& options);

/// What such weights [out, in] take in memory once packed, scales included; the error of
/// choose_weight_kind().
Result<int64_t> planned_weight_bytes(const quant::LinearScheme& scheme, int64_t out, int64_t in,
                                     const PackOptions& options);

/// One line: the kind chosen, and why each one tried before it refused.
std::string explain_weight_kind(const quant::LinearScheme& scheme, int64_t in, const PackOptions& options);

// One file each.
extern const WeightKind kIntegerWeights;
extern const WeightKind kIntegerRowWeights;
extern const WeightKind kUnpackedBf16Weights;
extern const WeightKind kUnpackedF32Weights;
extern const WeightKind kBf16Weights;
extern const WeightKind kBf16RowWeights;
extern const WeightKind kF32Weights;

}  // namespace tessera::ops
