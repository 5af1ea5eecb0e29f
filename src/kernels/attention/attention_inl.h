// The walk of attention over queries, splits and blocks of positions, for whichever vec16_*.h was included
// before. The two matrix products and the exponential belong to the Block type (float_block_inl.h,
// pair_block_avx512bf16.h):
//   kRows                                        queries that one pass over the values serves at most
//   rows_at_once(left)                           and those of the next pass when `left` are left
//   kUnit                                        tops and scores are multiplied by this before exp
//   Vec decay(fall)                              exp of a difference of tops, <= 0
//   load_query(i, from, head_dim)                query i of the tile, rounded as the cache's type asks
//   gather(args, kv_head, begin, count, more)    positions begin..begin+count, from a block's first; more:
//                                                the next whole block comes next
//   scores(first, last)                          of queries [first, last), unscaled
//   float largest(i, span)                       score of query i within span
//   Vec weights(i, span, factor, top)            exp(score * factor - top) within span; lanes of their sum
//   weigh(i, rows, begin, end, decay, out)       out = out * decay + sum_j weight[j] v[j], j in [begin, end)
// Every operation on a query is the same, in the same order, whatever queries stand beside it.
#pragma once

#include "kernels/attention/attention_functions.h"
// After the vocabulary.
#include "kernels/simd/exp.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

inline constexpr int64_t kBlockVecs = kAttentionBlock / kLanes;
static_assert(kLanes == kCacheTile && kAttentionSplit % kAttentionBlock == 0);

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

/// A half-open range of positions.
struct Span {
  int64_t begin, end;
};
/// What a row sees.
inline Span visible(const AttentionArgs& args, int64_t row) {
  const int64_t end = args.start + row + 1;
  return {args.window > 0 ? larger(0, end - args.window) : 0, end};
}
/// The same within the block at `base`, relative to it.
inline Span visible_in_block(const AttentionArgs& args, int64_t row, int64_t base) {
  const Span all = visible(args, row);
  return {larger(0, all.begin - base), smaller(kAttentionBlock, all.end - base)};
}

template <class Block>
struct Scratch {
  Block block;
  // Of the split under way: queries x padded_dim; lanes of the sum of weights; the largest scaled score; and
  // what the newest block does to all before.
  alignas(64) float out[kAttentionTile * kMaxHeadDim];
  alignas(64) float total[kAttentionTile * kLanes];
  float top[kAttentionTile];
  float decay[kAttentionTile];
  // Of the splits before, folded.
  alignas(64) float whole_out[kAttentionTile * kMaxHeadDim];
  float whole_top[kAttentionTile];
  float whole_total[kAttentionTile];
};

/// The scores of the queries of rows [first, last) become weights; their decays and totals follow.
template <class Block>
void soften(const AttentionArgs& args, const TileShape& tile, int64_t base, Span rows, Scratch<Block>& s) {
  float tops[kAttentionTile + kLanes];
  const float factor = args.scale * Block::kUnit;
  const int64_t first = rows.begin * tile.heads, last = rows.end * tile.heads;
  for (int64_t row = rows.begin, query = first; row < rows.end; ++row) {
    const Span span = visible_in_block(args, tile.row + row, base);
    for (; query < (row + 1) * tile.heads; ++query) {
      const float top = s.block.largest(query, span) * factor;
      tops[query] = top > s.top[query] ? top : s.top[query];
    }
  }
  for (int64_t i = first; i < last; i += kLanes) {
    const int64_t n = smaller(kLanes, last - i);
    store_n(s.decay + i, Block::decay(sub(load_n(s.top + i, n), load_n(tops + i, n))), n);
  }
  for (int64_t row = rows.begin, query = first; row < rows.end; ++row) {
    const Span span = visible_in_block(args, tile.row + row, base);
    for (; query < (row + 1) * tile.heads; ++query) {
      const Vec sum = s.block.weights(query, span, factor, tops[query]);
      float* total = s.total + query * kLanes;
      store(total, add(mul(load(total), set1(s.decay[query])), sum));
      s.top[query] = tops[query];
    }
  }
}

/// weigh() of queries whose spans differ: together where all see, each alone before and after, so that what a
/// row may not see cannot touch it, not even as 0 * NaN.
template <class Block>
void weigh_border(const AttentionArgs& args, const TileShape& tile, int64_t base, int64_t first,
                  int64_t count, Scratch<Block>& s) {
  Span spans[Block::kRows];
  Span common{0, kAttentionBlock};
  for (int64_t i = 0; i < count; ++i) {
    spans[i] = visible_in_block(args, tile.row + (first + i) / tile.heads, base);
    // Positions go in pairs: those of the common range are whole.
    common.begin = larger(common.begin, (spans[i].begin + 1) / 2 * 2);
    common.end = smaller(common.end, spans[i].end / 2 * 2);
  }
  if (common.begin >= common.end) common = {kAttentionBlock, kAttentionBlock};
  const auto alone = [&](int64_t i, int64_t begin, int64_t end) {
    if (begin >= end) return;
    s.block.weigh(first + i, 1, begin, end, s.decay, s.out);
    s.decay[first + i] = 1.0F;
  };
  for (int64_t i = 0; i < count; ++i)
    alone(i, spans[i].begin, smaller(common.begin, spans[i].end));
  if (common.begin == kAttentionBlock) return;
  s.block.weigh(first, count, common.begin, common.end, s.decay, s.out);
  for (int64_t i = 0; i < count; ++i) {
    s.decay[first + i] = 1.0F;
    alone(i, common.end, spans[i].end);
  }
}

template <class Block>
void attend_block(const AttentionArgs& args, const TileShape& tile, int64_t base, Scratch<Block>& s) {
  // Rows that see something of the block are neighbours: the first begin below it, the last have their window
  // above it.
  Span rows{0, tile.rows};
  while (rows.begin < rows.end && visible(args, tile.row + rows.begin).end <= base)
    ++rows.begin;
  while (rows.begin < rows.end && visible(args, tile.row + rows.end - 1).begin >= base + kAttentionBlock)
    --rows.end;
  const int64_t first = rows.begin * tile.heads, last = rows.end * tile.heads;
  if (first == last) return;
  s.block.scores(first, last);
  soften(args, tile, base, rows, s);
  const bool whole = visible(args, tile.row + rows.begin).end >= base + kAttentionBlock &&
                     visible(args, tile.row + rows.end - 1).begin <= base;
  for (int64_t i = first, count; i < last; i += count) {
    count = Block::rows_at_once(last - i);
    if (whole) {
      s.block.weigh(i, count, 0, kAttentionBlock, s.decay, s.out);
    } else {
      weigh_border(args, tile, base, i, count, s);
    }
  }
}

/// One split for all queries of the tile, into s.out, s.top and s.total.
template <class Block>
void attend_split(const AttentionArgs& args, int64_t kv_head, const TileShape& tile, int64_t split,
                  Scratch<Block>& s) {
  for (int64_t i = 0; i < tile.queries(); ++i)
    s.top[i] = -__builtin_inff();
  for (int64_t i = 0; i < tile.queries(); ++i)
    store(s.total + i * kLanes, zero());
  for (int64_t i = 0; i < tile.queries() * padded_dim(args.head_dim); i += kLanes)
    store(s.out + i, zero());
  const int64_t begin = larger(split * kAttentionSplit, visible(args, tile.row).begin);
  const int64_t end = smaller((split + 1) * kAttentionSplit, visible(args, tile.row + tile.rows - 1).end);
  for (int64_t base = begin / kAttentionBlock * kAttentionBlock; base < end; base += kAttentionBlock) {
    s.block.gather(args, kv_head, base, smaller(kAttentionBlock, end - base),
                   base + 2 * kAttentionBlock <= end);
    attend_block(args, tile, base, s);
  }
}

/// The splits that a row sees.
inline Span splits_of(const AttentionArgs& args, int64_t row) {
  const Span all = visible(args, row);
  return {all.begin / kAttentionSplit, (all.end - 1) / kAttentionSplit + 1};
}

/// What splits have given so far for one row and head, to which the next is added.
struct Share {
  float* out;
  float* top;
  float* total;
};

template <class Block>
void fold(const Share& so_far, const float* out, float top, float total, int64_t head_dim) {
  const float both = top > *so_far.top ? top : *so_far.top;
  const Vec old_decay = Block::decay(set1(*so_far.top - both)), decay = Block::decay(set1(top - both));
  for (int64_t d = 0; d < head_dim; d += kLanes) {
    const int64_t n = smaller(kLanes, head_dim - d);
    const Vec sum = add(mul(load_n(so_far.out + d, n), old_decay), mul(load_n(out + d, n), decay));
    store_n(so_far.out + d, sum, n);
  }
  const Vec sum = add(mul(set1(*so_far.total), old_decay), mul(set1(total), decay));
  store_n(so_far.total, sum, 1);
  *so_far.top = both;
}

/// The row's first split is taken as it is.
template <class Block>
void take(const Share& so_far, bool first, const float* out, float top, float total, int64_t head_dim) {
  if (!first) return fold<Block>(so_far, out, top, total, head_dim);
  __builtin_memcpy(so_far.out, out, static_cast<size_t>(head_dim) * sizeof(float));
  *so_far.top = top;
  *so_far.total = total;
}

inline void normalize(const float* sum, float total, int64_t head_dim, float* out) {
  for (int64_t d = 0; d < head_dim; d += kLanes) {
    const int64_t n = smaller(kLanes, head_dim - d);
    store_n(out + d, div(load_n(sum + d, n), set1(total)), n);
  }
}

inline float* out_of(const AttentionArgs& args, const TileShape& tile, int64_t query) {
  return args.out + (tile.row + query / tile.heads) * args.out_row_stride +
         (tile.head + query % tile.heads) * args.head_dim;
}

template <class Block>
void attend_tile(const AttentionArgs& args, int64_t kv_head, const TileShape& tile, Scratch<Block>& s) {
  const int64_t dim = padded_dim(args.head_dim);
  const Span splits{splits_of(args, tile.row).begin, splits_of(args, tile.row + tile.rows - 1).end};
  for (int64_t split = splits.begin; split < splits.end; ++split) {
    attend_split(args, kv_head, tile, split, s);
    for (int64_t i = 0; i < tile.queries(); ++i) {
      const Span seen = splits_of(args, tile.row + i / tile.heads);
      if (split < seen.begin || split >= seen.end) continue;
      take<Block>({s.whole_out + i * dim, s.whole_top + i, s.whole_total + i}, split == seen.begin,
                  s.out + i * dim, s.top[i], reduce_add(load(s.total + i * kLanes)), args.head_dim);
    }
  }
  for (int64_t i = 0; i < tile.queries(); ++i)
    normalize(s.whole_out + i * dim, s.whole_total[i], args.head_dim, out_of(args, tile, i));
}

/// Calls body(kv_head, tile) for all tiles of the ranges, their queries loaded.
template <class Block, class Body>
void for_tiles(const AttentionArgs& args, Scratch<Block>& s, const Body& body) {
  const int64_t group = args.heads / args.kv_heads;
  const int64_t heads = smaller(group, kAttentionTile), rows = kAttentionTile / heads;
  for (int64_t kv_head = args.kv_head_begin; kv_head < args.kv_head_end; ++kv_head) {
    for (int64_t row = args.row_begin; row < args.row_end; row += rows) {
      for (int64_t head = 0; head < group; head += heads) {
        const TileShape tile{row, smaller(rows, args.row_end - row), kv_head * group + head,
                             smaller(heads, group - head)};
        for (int64_t i = 0; i < tile.queries(); ++i) {
          s.block.load_query(i,
                             args.q + (tile.row + i / tile.heads) * args.q_row_stride +
                                 (tile.head + i % tile.heads) * args.head_dim,
                             args.head_dim);
        }
        body(kv_head, tile);
      }
    }
  }
}

template <class Block>
void attend(const AttentionArgs& args) {
  Scratch<Block> s;
  for_tiles(args, s, [&](int64_t kv_head, const TileShape& tile) { attend_tile(args, kv_head, tile, s); });
}

/// Floats from the partials of one split to those of the next.
inline int64_t split_stride(const AttentionArgs& args) {
  return (args.row_end - args.row_begin) * (args.kv_head_end - args.kv_head_begin) *
         (args.heads / args.kv_heads) * partial_floats(args.head_dim);
}
/// Where the partial of a row and head lies within a split's.
inline int64_t partial_at(const AttentionArgs& args, int64_t row, int64_t head) {
  const int64_t group = args.heads / args.kv_heads;
  const int64_t heads = (args.kv_head_end - args.kv_head_begin) * group;
  return ((row - args.row_begin) * heads + head - args.kv_head_begin * group) * partial_floats(args.head_dim);
}

template <class Block>
void attend_one_split(const AttentionArgs& args, int64_t split, float* partials) {
  Scratch<Block> s;
  const int64_t dim = padded_dim(args.head_dim);
  for_tiles(args, s, [&](int64_t kv_head, const TileShape& tile) {
    attend_split(args, kv_head, tile, split, s);
    for (int64_t i = 0; i < tile.queries(); ++i) {
      const int64_t row = tile.row + i / tile.heads;
      const Span seen = splits_of(args, row);
      if (split < seen.begin || split >= seen.end) continue;
      float* to = partials + partial_at(args, row, tile.head + i % tile.heads);
      __builtin_memcpy(to, s.out + i * dim, static_cast<size_t>(args.head_dim) * sizeof(float));
      to[args.head_dim] = s.top[i];
      to[args.head_dim + 1] = reduce_add(load(s.total + i * kLanes));
    }
  });
}

template <class Block>
void merge_splits(const AttentionArgs& args, const float* partials) {
  const int64_t group = args.heads / args.kv_heads;
  const int64_t stride = split_stride(args), first = splits_of(args, args.row_begin).begin;
  float out[kMaxHeadDim], top = 0, total = 0;
  for (int64_t row = args.row_begin; row < args.row_end; ++row) {
    const Span seen = splits_of(args, row);
    for (int64_t head = args.kv_head_begin * group; head < args.kv_head_end * group; ++head) {
      const float* from = partials + partial_at(args, row, head);
      for (int64_t split = seen.begin; split < seen.end; ++split) {
        const float* share = from + (split - first) * stride;
        take<Block>({out, &top, &total}, split == seen.begin, share, share[args.head_dim],
                    share[args.head_dim + 1], args.head_dim);
      }
      normalize(out, total, args.head_dim, args.out + row * args.out_row_stride + head * args.head_dim);
    }
  }
}

template <class Block>
AttentionFunctions functions_of() {
  return {attend<Block>, attend_one_split<Block>, merge_splits<Block>};
}

}  // namespace
}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
