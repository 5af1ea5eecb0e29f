#include <cmath>
#include <utility>

#include "bench/fill_cache.h"
#include "bench/kernel_run.h"
#include "bench/peak_meter.h"
#include "bench/shapes.h"
#include "models/blocks/paged_attention.h"

namespace tessera::bench {
namespace {

constexpr int32_t kPageSize = 64;  // as the engine's

/// Sequences that each add `rows` rows to the `cached` positions before them.
struct Situation {
  const char* name;
  int32_t sequences, rows, cached;
};
constexpr Situation kSituations[] = {
    {"prefill", 1, 512, 0},      {"prefill", 1, 2048, 0},    {"decode-512", 1, 1, 511},
    {"decode-2048", 1, 1, 2047}, {"decode-512", 16, 1, 511},
};

models::ModelConfig config_of(const Shape& shape, int32_t layers) {
  models::ModelConfig config;
  config.layers = layers;
  config.heads = static_cast<int32_t>(shape.numbers.at(0));
  config.kv_heads = static_cast<int32_t>(shape.numbers.at(1));
  config.head_dim = static_cast<int32_t>(shape.numbers.at(2));
  return config;
}

/// One layer's attention over a bf16 cache; each run takes the next layer of kCopiesOfCache times the cache.
class AttentionRun final : public KernelRun {
 public:
  static Result<std::unique_ptr<KernelRun>> make(const Shape& shape, const Situation& situation,
                                                 ThreadPool& pool) {
    const int32_t pages_each = (situation.cached + situation.rows + kPageSize - 1) / kPageSize;
    cache::KvCacheShape cache_shape{.layers = 1,
                                    .pages = pages_each * situation.sequences,
                                    .page_size = kPageSize,
                                    .kv_heads = static_cast<int32_t>(shape.numbers.at(1)),
                                    .head_dim = static_cast<int32_t>(shape.numbers.at(2)),
                                    .type = kernels::CacheType::kBf16};
    const auto layer_bytes = static_cast<int64_t>(cache_shape.page_bytes()) * cache_shape.pages;
    cache_shape.layers = static_cast<int32_t>(kCopiesOfCache * cache_sizes().l3_bytes / layer_bytes + 1);
    auto cache = TRY(cache::KvCache::allocate(cache_shape));
    return std::unique_ptr<KernelRun>(
        new AttentionRun(config_of(shape, cache_shape.layers), situation, std::move(cache), pool));
  }

  Status run() override {
    const auto width = static_cast<int64_t>(config_.heads) * config_.head_dim;
    const auto rows = static_cast<int64_t>(positions_.size());
    const models::Step step{.config = config_,
                            .rope = rope_,
                            .cache = cache_,
                            .pool = pool_,
                            .spans = spans_,
                            .positions = positions_};
    layer_ = (layer_ + 1) % config_.layers;
    attention_.run(step, layer_, 0, {q_.data(), rows, width}, {out_.data(), rows, width});
    return {};
  }

 private:
  AttentionRun(const models::ModelConfig& config, const Situation& situation, cache::KvCache cache,
               ThreadPool& pool)
      : config_(config), rope_({}, config.head_dim, 1), cache_(std::move(cache)), pool_(pool) {
    const int32_t pages = cache_.shape().pages, pages_each = pages / situation.sequences;
    for (int32_t page = 0; page < pages; ++page)
      pages_.push_back(page);
    for (int32_t i = 0; i < situation.sequences; ++i) {
      spans_.push_back(
          {.first = int64_t{i} * situation.rows,
           .rows = situation.rows,
           .start = situation.cached,
           .pages = std::span(pages_).subspan(static_cast<size_t>(i) * static_cast<size_t>(pages_each),
                                              static_cast<size_t>(pages_each))});
      for (int32_t row = 0; row < situation.rows; ++row)
        positions_.push_back(situation.cached + row);
    }
    const size_t width = static_cast<size_t>(config.heads) * static_cast<size_t>(config.head_dim);
    q_.resize(positions_.size() * width);
    out_.resize(q_.size());
    for (size_t i = 0; i < q_.size(); ++i)
      q_[i] = std::sin(static_cast<float>(i % 8191));
    fill_cache(cache_);
    double seen = 0;  // positions, over all rows
    for (const int32_t position : positions_)
      seen += position + 1;
    macs = 2 * seen * static_cast<double>(width);
    bytes =
        4.0 * situation.sequences * (situation.cached + situation.rows) * config.kv_heads * config.head_dim;
    loop = bounding_loop({}, active_isa());
    detail = std::string("attention/") + kernels::attention_variant();
  }

  models::ModelConfig config_;
  models::RopeTable rope_;
  cache::KvCache cache_;
  ThreadPool& pool_;
  models::PagedAttention attention_;
  std::vector<int32_t> pages_, positions_;
  std::vector<models::RowSpan> spans_;
  std::vector<float> q_, out_;
  int32_t layer_ = 0;
};

}  // namespace

std::vector<KernelCase> attention_cases() {
  std::vector<KernelCase> cases;
  for (const Shape& shape : shapes_of("attention")) {
    for (const Situation& situation : kSituations) {
      KernelCase& one = cases.emplace_back();
      one.kernel = "attention";
      one.name = shape.name + "." + situation.name;
      one.scheme = "bf16";
      one.layout = "paged";
      one.m = int64_t{situation.sequences} * situation.rows;
      one.n = shape.numbers.at(0) * shape.numbers.at(2);
      one.k = situation.cached + situation.rows;
      one.selected = shape.selected;
      one.make = [=](ThreadPool& pool) { return AttentionRun::make(shape, situation, pool); };
    }
  }
  return cases;
}

}  // namespace tessera::bench
