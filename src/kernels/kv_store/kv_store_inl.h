// The body of kv_store for whichever vec16_*.h was included before.
#pragma once

#include "kernels/kv_store/kv_store.h"

namespace tessera::kernels::TESSERA_ISA_NAMESPACE {
namespace {

/// Keys or values, and where they go.
struct Side {
  const float* from;  // [rows, kv_heads, head_dim]
  int64_t row_stride;
  const float* scales;
  void* cache;
  bool keys;
};

/// Where the chunk of a head lies in the cache, in elements, and a position within it.
struct Place {
  int64_t chunk, within;
};
inline Place place_of(const KvStoreArgs& args, int64_t position, int64_t head) {
  return {args.pages[position / args.page_size] * args.strides.page + head * args.strides.kv_head,
          position % args.page_size};
}

/// `to` has room for head_dim rounded up to 16.
inline void narrow_row(const float* from, int64_t head_dim, uint16_t* to) {
  int64_t d = 0;
  for (; d + kLanes <= head_dim; d += kLanes)
    store_bf16(to + d, load(from + d));
  if (d < head_dim) store_bf16(to + d, load_n(from + d, head_dim - d));
}

/// Codes of one row; returns their scale: `fixed`, or the row's own when that is 0.
inline float quantize_head(const float* x, int64_t head_dim, float fixed, int8_t* codes) {
  Vec high = zero(), low = zero(), poison = zero();
  for (int64_t d = 0; d < head_dim; d += kLanes) {
    const Vec v = load_n(x + d, head_dim - d < kLanes ? head_dim - d : kLanes);
    high = max(high, v);
    low = min(low, v);
    // 0 for every finite number, NaN for NaN and infinity.
    poison = add(poison, mul(v, zero()));
  }
  const float above = reduce_max(high), below = -reduce_min(low);
  const float largest = above > below ? above : below;
  float scale = largest > 0.0F ? largest / 127.0F : 0.0F;  // never -0
  if (fixed > 0.0F) scale = fixed;
  const Vec lowest = set1(fixed > 0.0F ? -128.0F : -127.0F);
  if (reduce_add(poison) != 0.0F) scale = __builtin_nanf("");
  for (int64_t d = 0; d < head_dim; d += kLanes) {
    const Vec v = load_n(x + d, head_dim - d < kLanes ? head_dim - d : kLanes);
    // Otherwise zero or NaN: all codes are 0.
    const Vec q = scale > 0.0F ? div(v, set1(scale)) : zero();
    store_codes(codes + d, round_even(max(min(q, set1(127.0F)), lowest)));
  }
  return scale;
}

template <class Element>
void scatter(const Side& side, const KvStoreArgs& args, Place to, const Element* row) {
  const bool tiled = is_tiled(args.cache_type, args.page_size);
  Element* chunk = static_cast<Element*>(side.cache) + to.chunk;
  if (!tiled) {
    __builtin_memcpy(chunk + to.within * args.head_dim, row,
                     static_cast<size_t>(args.head_dim) * sizeof(Element));
    return;
  }
  // key_index() and value_index(), said as steps: from pair to pair of elements, and within one.
  const int64_t token = to.within % kCacheTile, tile = (to.within - token) * args.head_dim;
  const int64_t start = side.keys ? 2 * token : token / 2 * 2 * args.head_dim + token % 2;
  const int64_t step = side.keys ? 2 * kCacheTile : 4, second = side.keys ? 1 : 2;
  Element* first = chunk + tile + start;
  for (int64_t d = 0; d < args.head_dim; d += 2) {
    first[d / 2 * step] = row[d];
    first[d / 2 * step + second] = row[d + 1];
  }
}

inline void store_one(const Side& side, const KvStoreArgs& args, int64_t row, int64_t head) {
  const Place to = place_of(args, args.start + row, head);
  const float* from = side.from + row * side.row_stride + head * args.head_dim;
  if (args.cache_type == CacheType::kF32) {
    __builtin_memcpy(static_cast<float*>(side.cache) + to.chunk + to.within * args.head_dim, from,
                     static_cast<size_t>(args.head_dim) * sizeof(float));
  } else if (args.cache_type == CacheType::kBf16) {
    uint16_t narrowed[kMaxHeadDim];
    narrow_row(from, args.head_dim, narrowed);
    scatter(side, args, to, narrowed);
  } else {
    int8_t codes[kMaxHeadDim];
    const float scale =
        quantize_head(from, args.head_dim, side.scales == nullptr ? 0.0F : side.scales[head], codes);
    scatter(side, args, to, codes);
    int8_t* scales = static_cast<int8_t*>(side.cache) + to.chunk + args.page_size * args.head_dim;
    __builtin_memcpy(scales + to.within * static_cast<int64_t>(sizeof(float)), &scale, sizeof(scale));
  }
}

/// A whole bf16 tile at once: 16 rows, narrowed and then put in order by registers.
struct Tile {
  alignas(64) uint16_t rows[kCacheTile][kMaxHeadDim];

  void narrow_rows(const Side& side, int64_t row, int64_t head, int64_t head_dim) {
    for (int64_t i = 0; i < kCacheTile; ++i)
      narrow_row(side.from + (row + i) * side.row_stride + head * head_dim, head_dim, rows[i]);
  }
  void store_keys(uint16_t* to, int64_t head_dim) const {
    for (int64_t d = 0; d < head_dim; d += 2 * kLanes) {
      Vec square[kLanes];
      for (int64_t i = 0; i < kLanes; ++i)
        square[i] = load(reinterpret_cast<const float*>(rows[i] + d));
      transpose(square);
      for (int64_t i = 0; i < kLanes && d + 2 * i < head_dim; ++i)
        store(reinterpret_cast<float*>(to + (d + 2 * i) * kCacheTile), square[i]);
    }
  }
  void store_values(uint16_t* to, int64_t head_dim) const {
    for (int64_t i = 0; i < kCacheTile; i += 2) {
      for (int64_t d = 0; d < head_dim; d += 8) {
        uint32_t pairs[8];
        for (int64_t lane = 0; lane < 8; ++lane)
          pairs[lane] = rows[i][d + lane] | static_cast<uint32_t>(rows[i + 1][d + lane]) << 16;
        __builtin_memcpy(to + i * head_dim + 2 * d, pairs, sizeof(pairs));
      }
    }
  }
};

inline void store_tile(const Side& keys, const Side& values, const KvStoreArgs& args, int64_t row) {
  Tile tile;
  for (int64_t head = 0; head < args.kv_heads; ++head) {
    const Place place = place_of(args, args.start + row, head);
    const int64_t to = place.chunk + place.within * args.head_dim;
    tile.narrow_rows(keys, row, head, args.head_dim);
    tile.store_keys(static_cast<uint16_t*>(keys.cache) + to, args.head_dim);
    tile.narrow_rows(values, row, head, args.head_dim);
    tile.store_values(static_cast<uint16_t*>(values.cache) + to, args.head_dim);
  }
}

}  // namespace

void kv_store(const KvStoreArgs& args) {
  const Side keys{args.k, args.k_row_stride, args.k_scales, args.k_cache, true};
  const Side values{args.v, args.v_row_stride, args.v_scales, args.v_cache, false};
  const bool tiles = args.cache_type == CacheType::kBf16 && is_tiled(args.cache_type, args.page_size);
  for (int64_t row = 0; row < args.rows;) {
    if (tiles && (args.start + row) % kCacheTile == 0 && row + kCacheTile <= args.rows) {
      store_tile(keys, values, args, row);
      row += kCacheTile;
      continue;
    }
    for (int64_t head = 0; head < args.kv_heads; ++head) {
      store_one(keys, args, row, head);
      store_one(values, args, row, head);
    }
    ++row;
  }
}

}  // namespace tessera::kernels::TESSERA_ISA_NAMESPACE
