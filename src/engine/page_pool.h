// PagePool: which pages of the KV cache are free. Knows page numbers only; their bytes belong to the
// executor. Pages are reserved for a sequence's whole life at admission (README.md, invariants.reservation),
// so there is no call that could fail in the middle of an answer. Engine thread only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tessera::engine {

class PagePool {
 public:
  explicit PagePool(int32_t page_count);

  int32_t page_count() const { return page_count_; }
  int32_t free_count() const { return static_cast<int32_t>(free_.size()); }
  std::span<const int32_t> free_pages() const { return free_; }

  /// `count` <= free_count() pages, each in [0, page_count), now the caller's.
  std::vector<int32_t> take(int32_t count);
  /// Gives back pages that take() gave.
  void give_back(std::span<const int32_t> pages);

 private:
  int32_t page_count_;
  std::vector<int32_t>
      free_;  // a stack: the page used last is the one most likely still in the processor's cache
};

}  // namespace tessera::engine
