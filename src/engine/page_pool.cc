#include "engine/page_pool.h"

#include "base/check.h"

namespace tessera::engine {

PagePool::PagePool(int32_t page_count) : page_count_(page_count) {
  CHECK(page_count >= 0, "page_count={}", page_count);
  free_.reserve(static_cast<size_t>(page_count));
  for (int32_t page = page_count; page-- > 0;)
    free_.push_back(page);
}

std::vector<int32_t> PagePool::take(int32_t count) {
  CHECK(count >= 0 && count <= free_count(), "{} pages wanted, {} are free", count, free_count());
  std::vector<int32_t> pages(free_.rbegin(), free_.rbegin() + count);
  free_.resize(free_.size() - static_cast<size_t>(count));
  return pages;
}

void PagePool::give_back(std::span<const int32_t> pages) {
  free_.insert(free_.end(), pages.rbegin(), pages.rend());
  CHECK(free_count() <= page_count_, "{} pages are free of {}: some were given back twice", free_count(),
        page_count_);
}

}  // namespace tessera::engine
