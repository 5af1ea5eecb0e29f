// The walk of attention over queries and blocks of positions, for whichever vec16_*.h was included before.
// The two matrix products belong to the Block type (float_block_inl.h, pair_block_avx512bf16.h):
//   void load_query(i, from, head_dim)           query i of the tile, rounded as the cache's type asks
//   void gather(args, kv_head, begin, count)     keys and values of positions begin..begin+count; the rest
//   zero void scores(queries, s)                      s[query][kAttentionBlock] = q . k, unscaled void
//   weigh(first, queries, begin, end, p, decay, out)   out = out * decay + sum_j p[j] v[j], j in [begin, end)
//   static Vec round(Vec)                        softmax weights as they meet v
// Every operation on a query is the same, in the same order, whatever queries stand beside it.
#pragma once

#include "kernels/attention/attention.h"
// After the vocabulary.
#include "kernels/simd/exp.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

/// Queries that share one gathered block: gathering is paid once for all of them.
inline constexpr int64_t kQueries = 48;
inline constexpr int64_t kBlockVecs = kAttentionBlock / kLanes;

constexpr int64_t padded_dim(int64_t head_dim) {
  return (head_dim + kLanes - 1) / kLanes * kLanes;
}
inline int64_t smaller(int64_t a, int64_t b) {
  return a < b ? a : b;
}
inline int64_t larger(int64_t a, int64_t b) {
  return a > b ? a : b;
}

/// Rows times heads that are worked on together; query i is row i / heads, head i % heads.
struct TileShape {
  int64_t row, rows;
  int64_t head, heads;
  int64_t queries() const { return rows * heads; }
};

/// The half-open range of positions that a row sees, relative to the block at `base`.
struct Span {
  int64_t begin, end;
};
inline Span visible(const AttentionArgs& args, int64_t row, int64_t base) {
  const int64_t end = args.start + row + 1;
  const int64_t begin = args.window > 0 ? larger(0, end - args.window) : 0;
  return {larger(0, begin - base), smaller(kAttentionBlock, end - base)};
}

/// Element offsets of positions begin..begin+count of one kv head, into k_cache and v_cache.
inline void offsets_of(const AttentionArgs& args, int64_t kv_head, int64_t begin, int64_t count,
                       int64_t* offsets) {
  int64_t page = begin / args.page_size, within = begin % args.page_size;
  for (int64_t i = 0; i < count; ++i) {
    offsets[i] =
        args.pages[page] * args.strides.page + kv_head * args.strides.kv_head + within * args.strides.token;
    if (++within == args.page_size) {
      within = 0;
      ++page;
    }
  }
}

template <class Block>
struct Scratch {
  Block block;
  alignas(64) float out[kQueries * kMaxHeadDim];  // [queries, padded_dim]
  alignas(64) float scores[kQueries * kAttentionBlock];
  float top[kQueries];    // the largest scaled score so far
  float total[kQueries];  // sum of the weights so far
  float decay[kQueries];  // what the newest block does to all before
};

/// Scores outside `span` become -inf.
inline void hide(float* scores, Span span) {
  for (int64_t j = 0; j < span.begin; ++j)
    scores[j] = -__builtin_inff();
  for (int64_t j = span.end; j < kAttentionBlock; ++j)
    scores[j] = -__builtin_inff();
}

/// The largest score of a block. NaN is passed over here and comes out in the weights.
inline float largest(const float* scores) {
  Vec best = load(scores);
  for (int64_t v = 1; v < kBlockVecs; ++v)
    best = max(load(scores + v * kLanes), best);
  return reduce_max(best);
}

/// Scores become weights exp(score * scale - top), 0 where hidden; returns their sum.
template <class Block>
float weights_of(float* scores, float scale, float top) {
  const Vec factor = set1(scale), shift = set1(-top);
  Vec sum = zero();
  for (int64_t v = 0; v < kBlockVecs; ++v) {
    const Vec weight = Block::round(exp_nonpositive(fma(load(scores + v * kLanes), factor, shift)));
    store(scores + v * kLanes, weight);
    sum = add(sum, weight);
  }
  return reduce_add(sum);
}

/// Turns the scores of queries first..first+count into weights within `span`; their decays and totals follow.
template <class Block>
void soften(const AttentionArgs& args, Scratch<Block>& s, int64_t first, int64_t count, Span span) {
  float tops[kQueries + kLanes];
  for (int64_t i = 0; i < count; ++i) {
    float* scores = s.scores + (first + i) * kAttentionBlock;
    if (span.begin > 0 || span.end < kAttentionBlock) hide(scores, span);
    const float top = largest(scores) * args.scale, before = s.top[first + i];
    tops[i] = top > before ? top : before;
  }
  for (int64_t i = 0; i < count; i += kLanes) {
    const int64_t n = smaller(kLanes, count - i);
    const Vec fall = sub(load_n(s.top + first + i, n), load_n(tops + i, n));
    store_n(s.decay + first + i, exp_nonpositive(fall), n);
  }
  for (int64_t i = 0; i < count; ++i) {
    const int64_t query = first + i;
    const float sum = weights_of<Block>(s.scores + query * kAttentionBlock, args.scale, tops[i]);
    s.total[query] = s.total[query] * s.decay[query] + sum;
    s.top[query] = tops[i];
  }
}

template <class Block>
void attend_block(const AttentionArgs& args, const TileShape& tile, int64_t base, Scratch<Block>& s) {
  s.block.scores(tile.queries(), s.scores);
  const Span first = visible(args, tile.row, base), last = visible(args, tile.row + tile.rows - 1, base);
  if (first.end == kAttentionBlock && last.begin == 0) {
    soften(args, s, 0, tile.queries(), {0, kAttentionBlock});
    s.block.weigh(0, tile.queries(), 0, kAttentionBlock, s.scores, s.decay, s.out);
    return;
  }
  // Row by row, so that what a row may not see cannot touch it, not even as 0 * NaN.
  for (int64_t row = 0; row < tile.rows; ++row) {
    const Span span = visible(args, tile.row + row, base);
    if (span.begin >= span.end) continue;
    const int64_t query = row * tile.heads;
    soften(args, s, query, tile.heads, span);
    s.block.weigh(query, tile.heads, span.begin, span.end, s.scores, s.decay, s.out);
  }
}

template <class Block>
void attend_tile(const AttentionArgs& args, int64_t kv_head, const TileShape& tile, Scratch<Block>& s) {
  const int64_t dim = padded_dim(args.head_dim);
  for (int64_t i = 0; i < tile.queries(); ++i) {
    const int64_t row = tile.row + i / tile.heads, head = tile.head + i % tile.heads;
    s.block.load_query(i, args.q + row * args.q_row_stride + head * args.head_dim, args.head_dim);
    s.top[i] = -__builtin_inff();
    s.total[i] = 0;
  }
  for (int64_t i = 0; i < tile.queries() * dim; i += kLanes)
    store(s.out + i, zero());
  const int64_t end = args.start + tile.row + tile.rows;
  const int64_t begin = visible(args, tile.row, 0).begin;
  for (int64_t base = begin / kAttentionBlock * kAttentionBlock; base < end; base += kAttentionBlock) {
    s.block.gather(args, kv_head, base, smaller(kAttentionBlock, end - base));
    attend_block(args, tile, base, s);
  }
  for (int64_t i = 0; i < tile.queries(); ++i) {
    const int64_t row = tile.row + i / tile.heads, head = tile.head + i % tile.heads;
    float* out = args.out + row * args.out_row_stride + head * args.head_dim;
    for (int64_t d = 0; d < args.head_dim; d += kLanes)
      store_n(out + d, div(load(s.out + i * dim + d), set1(s.total[i])), smaller(kLanes, args.head_dim - d));
  }
}

template <class Block>
void attend(const AttentionArgs& args) {
  Scratch<Block> scratch;
  const int64_t group = args.heads / args.kv_heads;
  const int64_t heads = smaller(group, kQueries), rows = kQueries / heads;
  for (int64_t kv_head = args.kv_head_begin; kv_head < args.kv_head_end; ++kv_head) {
    for (int64_t row = args.row_begin; row < args.row_end; row += rows) {
      const int64_t tile_rows = smaller(rows, args.row_end - row);
      for (int64_t head = 0; head < group; head += heads) {
        const TileShape tile{row, tile_rows, kv_head * group + head, smaller(heads, group - head)};
        attend_tile(args, kv_head, tile, scratch);
      }
    }
  }
}

}  // namespace
}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
