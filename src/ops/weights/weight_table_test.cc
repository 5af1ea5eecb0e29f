#include "ops/weights/weight_table.h"

#include <gtest/gtest.h>

#include <set>
#include <string_view>
#include <vector>

namespace tessera::ops {
namespace {

std::vector<quant::LinearScheme> schemes() {
  std::vector<quant::LinearScheme> all;
  for (const int bits : {16, 32})
    all.push_back({.weight = {.bits = bits}, .activation = {}});
  for (const int bits : {4, 8}) {
    for (const int group : {0, 16, 32, 64}) {
      for (const bool symmetric : {true, false}) {
        const quant::WeightScheme weight{.bits = bits, .group_size = group, .symmetric = symmetric};
        all.push_back({.weight = weight, .activation = {}});
        all.push_back({.weight = weight, .activation = {.bits = 8}});
        all.push_back({.weight = weight, .activation = {.bits = 4, .group_size = 32}});
        all.push_back({.weight = weight, .activation = {.bits = 8, .is_static = true}});
      }
    }
  }
  return all;
}

/// Zeros, which pack like all others.
quant::LinearData data_of(const quant::LinearScheme& scheme, int64_t out, int64_t in) {
  quant::LinearData data;
  data.scheme = scheme;
  data.out = out;
  data.in = in;
  if (scheme.is_float()) {
    data.values = Tensor(scheme.weight.bits == 32 ? DType::kF32 : DType::kBF16, {out, in});
    return data;
  }
  data.values = Tensor(DType::kI8, {out, in});
  const auto groups = static_cast<size_t>(out * data.groups());
  data.scales.assign(groups, 1.0F);
  if (!scheme.weight.symmetric) data.zero_points.assign(groups, 1);
  data.input.scale = 1;
  return data;
}

TEST(WeightKinds, SayTheirBytesBeforehand) {
  ThreadPool pool(1);
  std::set<std::string_view> seen;
  for (const quant::LinearScheme& scheme : schemes()) {
    for (const FloatKind floats : {FloatKind::kBf16, FloatKind::kF32}) {
      for (const WeightLayout layout : {WeightLayout::kNz, WeightLayout::kNd}) {
        for (const auto& [out, in] : {std::pair<int64_t, int64_t>{16, 64}, {37, 192}, {64, 320}}) {
          const PackOptions options{.kind = floats, .layout = layout};
          const auto kind = choose_weight_kind(scheme, in, options);
          const auto planned = planned_weight_bytes(scheme, out, in, options);
          ASSERT_EQ(kind.has_value(), planned.has_value());
          if (!kind) continue;
          const auto packed = (*kind)->pack(data_of(scheme, out, in), pool);
          ASSERT_TRUE(packed.has_value()) << packed.error().message();
          EXPECT_EQ(*planned, (*packed)->bytes())
              << (*kind)->name << " " << scheme.name() << " " << out << "x" << in;
          seen.insert((*kind)->name);
        }
      }
    }
  }
  EXPECT_EQ(seen.size(), weight_kinds().size());
}

}  // namespace
}  // namespace tessera::ops
