#include "models/blocks/paged_attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "kernels/kv_store/kv_store.h"

namespace tessera::models {
namespace {

constexpr int32_t kHeads = 6, kKvHeads = 2, kHeadDim = 32, kPageSize = 16;

std::vector<float> random_floats(int64_t count, uint32_t seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values)
    value = normal(engine);
  return values;
}

/// A batch of sequences over one cache: decodes in long and short contexts, chunks at the end of long ones,
/// a prompt.
class Batch {
 public:
  explicit Batch(kernels::CacheType type) : cache_(make_cache(type)) {
    constexpr int64_t kSplit = kernels::kAttentionSplit;
    add(3 * kSplit + 5, 1);
    add(7, 1);
    add(2 * kSplit + 40, 50);
    add(kSplit + 3, 4);
    add(130, 130);
    add(kSplit, 1);
    add(kSplit + 1, 2);
    q_ = random_floats(rows_ * kHeads * kHeadDim, 99);
    for (size_t i = 0; i < spans_.size(); ++i)
      spans_[i].pages = tables_[i];
  }

  MatrixView<const float> q() const { return {q_.data(), rows_, kHeads * kHeadDim}; }

  std::vector<float> run(int threads, int32_t window, bool alone = false) {
    ThreadPool pool(threads);
    std::vector<float> out(q_.size());
    const MatrixView<float> view{out.data(), rows_, kHeads * kHeadDim};
    PagedAttention attention;
    const auto pass = [&](std::span<const RowSpan> spans) {
      const Step step{
          .config = config_, .rope = rope_, .cache = cache_, .pool = pool, .spans = spans, .positions = {}};
      attention.run(step, 0, window, q(), view);
    };
    if (!alone) pass(spans_);
    for (size_t i = 0; alone && i < spans_.size(); ++i)
      pass(std::span(spans_).subspan(i, 1));
    return out;
  }

  /// Row by row and head by head.
  std::vector<float> by_kernel() {
    std::vector<float> out(q_.size());
    for (const RowSpan& span : spans_) {
      kernels::AttentionArgs args;
      args.q = q().row(span.first);
      args.out = out.data() + span.first * kHeads * kHeadDim;
      args.q_row_stride = args.out_row_stride = kHeads * kHeadDim;
      args.start = span.start;
      args.cache_type = cache_.shape().type;
      args.k_cache = cache_.keys(0);
      args.v_cache = cache_.values(0);
      args.strides = cache_.strides();
      args.pages = span.pages.data();
      args.page_size = kPageSize;
      args.heads = kHeads;
      args.kv_heads = kKvHeads;
      args.head_dim = kHeadDim;
      args.scale = 1.0F / std::sqrt(static_cast<float>(kHeadDim));
      for (args.kv_head_begin = 0; args.kv_head_begin < kKvHeads; ++args.kv_head_begin) {
        args.kv_head_end = args.kv_head_begin + 1;
        for (args.row_begin = 0; args.row_begin < span.rows; ++args.row_begin) {
          args.row_end = args.row_begin + 1;
          kernels::attention(args);
        }
      }
    }
    return out;
  }

 private:
  static cache::KvCache make_cache(kernels::CacheType type) {
    auto cache = cache::KvCache::allocate({.layers = 1,
                                           .pages = 400,
                                           .page_size = kPageSize,
                                           .kv_heads = kKvHeads,
                                           .head_dim = kHeadDim,
                                           .type = type});
    EXPECT_TRUE(cache.has_value());
    return std::move(*cache);
  }

  /// `rows` at the end of `positions`, which are all in the cache.
  void add(int64_t positions, int64_t rows) {
    std::vector<int32_t> table;
    for (int64_t i = 0; i < positions; i += kPageSize)
      table.push_back(399 - next_page_++);
    const auto k = random_floats(positions * kKvHeads * kHeadDim, static_cast<uint32_t>(next_page_));
    const auto v = random_floats(positions * kKvHeads * kHeadDim, static_cast<uint32_t>(next_page_) + 500);
    kernels::kv_store({.k = k.data(),
                       .k_row_stride = kKvHeads * kHeadDim,
                       .v = v.data(),
                       .v_row_stride = kKvHeads * kHeadDim,
                       .rows = positions,
                       .start = 0,
                       .cache_type = cache_.shape().type,
                       .k_cache = cache_.keys(0),
                       .v_cache = cache_.values(0),
                       .strides = cache_.strides(),
                       .pages = table.data(),
                       .page_size = kPageSize,
                       .kv_heads = kKvHeads,
                       .head_dim = kHeadDim});
    spans_.push_back({.first = rows_, .rows = rows, .start = positions - rows, .pages = {}});
    tables_.push_back(std::move(table));
    rows_ += rows;
  }

  static ModelConfig make_config() {
    ModelConfig config;
    config.heads = kHeads;
    config.kv_heads = kKvHeads;
    config.head_dim = kHeadDim;
    return config;
  }

  ModelConfig config_ = make_config();
  RopeTable rope_{RopeConfig{}, kHeadDim, 1};
  cache::KvCache cache_;
  int32_t next_page_ = 0;
  int64_t rows_ = 0;
  std::vector<RowSpan> spans_;
  std::vector<std::vector<int32_t>> tables_;
  std::vector<float> q_;
};

/// Threads, neighbours and the division of contexts are not to be seen in the bits. Under ThreadSanitizer
/// this is also the test of the merge.
TEST(PagedAttention, SameBitsWithAnyThreadsAndNeighbours) {
  for (const auto type : {kernels::CacheType::kF32, kernels::CacheType::kBf16, kernels::CacheType::kInt8}) {
    Batch batch(type);
    for (const int32_t window : {0, 300}) {
      const std::vector<float> expected = batch.run(1, window);
      for (const float x : expected)
        ASSERT_TRUE(std::isfinite(x));
      for (const int threads : {2, 3, 8}) {
        for (int repetition = 0; repetition < 3; ++repetition)
          EXPECT_EQ(batch.run(threads, window), expected) << "threads=" << threads << " window=" << window;
      }
      EXPECT_EQ(batch.run(2, window, true), expected) << "alone, window=" << window;
    }
  }
}

/// Each row alone, in one call of the kernel, which knows nothing of tasks.
TEST(PagedAttention, EveryRowIsTheKernels) {
  Batch batch(kernels::CacheType::kBf16);
  const std::vector<float> whole = batch.run(2, 0);
  EXPECT_EQ(batch.by_kernel(), whole);
}

}  // namespace
}  // namespace tessera::models
