#include "cache/kv_cache.h"

#include <gtest/gtest.h>

namespace tessera::cache {
namespace {

TEST(KvCache, PagesAddUp) {
  const KvCacheShape shape{.layers = 3, .pages = 5, .page_size = 4, .kv_heads = 2, .head_dim = 8};
  EXPECT_EQ(shape.page_bytes(), 2U * 3 * 4 * 2 * 8 * sizeof(uint16_t));
  auto cache = KvCache::allocate(shape);
  ASSERT_TRUE(cache.has_value());
  EXPECT_EQ(cache->strides().page, 4 * 2 * 8);
  EXPECT_NE(cache->keys(0), cache->values(0));
  EXPECT_NE(cache->keys(0), cache->keys(2));
}

TEST(KvCache, Int8PagesHaveAScalePerTokenAndHead) {
  const KvCacheShape shape{.layers = 3,
                           .pages = 5,
                           .page_size = 4,
                           .kv_heads = 2,
                           .head_dim = 8,
                           .type = kernels::CacheType::kInt8};
  EXPECT_EQ(shape.page_bytes(), 2U * 3 * 4 * 2 * (8 + sizeof(float)));
  auto cache = KvCache::allocate(shape);
  ASSERT_TRUE(cache.has_value());
  EXPECT_EQ(cache->strides().kv_head, 4 * (8 + 4));
}

TEST(KvCache, MoreThanThereIsIsAnError) {
  const KvCacheShape shape{
      .layers = 1, .pages = 1 << 30, .page_size = 1 << 14, .kv_heads = 1024, .head_dim = 256};
  const auto cache = KvCache::allocate(shape);
  ASSERT_FALSE(cache.has_value());
  EXPECT_EQ(cache.error().code(), ErrorCode::kResourceExhausted);
}

}  // namespace
}  // namespace tessera::cache
