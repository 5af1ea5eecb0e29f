#include "engine/page_ledger.h"

#include <algorithm>

#include "base/check.h"

namespace tessera::engine {

PageLedger::PageLedger(int32_t page_count, int32_t page_size, bool share_prefixes)
    : page_size_(page_size), pool_(page_count) {
  if (share_prefixes) tree_.emplace(page_size);
}

std::vector<const cache::PrefixTree::Node*> PageLedger::path(std::span<const int32_t> tokens) const {
  return tree_ ? tree_->path(tokens) : std::vector<const cache::PrefixTree::Node*>();
}

void PageLedger::open(PageTable& table, std::span<const int32_t> tokens) {
  DCHECK(table.pages.empty() && !table.lease, "{} pages", table.pages.size());
  if (!tree_) return;
  table.lease = tree_->acquire(tokens, table.pages);
  table.shared = table.size();
}

bool PageLedger::cover(PageTable& table, int32_t pages) {
  const int32_t more = pages - table.size();
  if (more <= 0) return true;
  if (more > available()) return false;
  if (more > pool_.free_count()) pool_.give_back(tree_->evict(more - pool_.free_count()));
  const std::vector<int32_t> taken = pool_.take(more);
  table.pages.insert(table.pages.end(), taken.begin(), taken.end());
  return true;
}

void PageLedger::share(PageTable& table, std::span<const int32_t> tokens) {
  const size_t whole = tokens.size() / static_cast<size_t>(page_size_);
  if (!tree_ || whole <= static_cast<size_t>(table.shared)) return;
  std::vector<int32_t> duplicates;
  table.lease = tree_->insert(table.lease, tokens.first(whole * static_cast<size_t>(page_size_)),
                              std::span(table.pages).first(whole), duplicates);
  table.shared = static_cast<int32_t>(whole);
  pool_.give_back(duplicates);
}

void PageLedger::close(PageTable& table) {
  pool_.give_back(std::span(table.pages).subspan(static_cast<size_t>(table.shared)));
  if (table.lease) tree_->release(table.lease);
  table = {};
}

void PageLedger::flush() {
  if (tree_) pool_.give_back(tree_->evict(tree_->evictable()));
}

void PageLedger::check(std::span<const PageTable* const> tables) const {
  std::vector<bool> seen(static_cast<size_t>(page_count()));
  int32_t counted = 0;
  const auto see = [&](std::span<const int32_t> pages) {
    for (const int32_t page : pages) {
      CHECK(page >= 0 && page < page_count() && !seen[static_cast<size_t>(page)], "page {} has two owners",
            page);
      seen[static_cast<size_t>(page)] = true;
      ++counted;
    }
  };
  see(pool_.free_pages());
  std::vector<bool> in_tree(seen.size());
  if (tree_) {
    const std::vector<int32_t> pages = tree_->checked_pages();
    see(pages);
    for (const int32_t page : pages)
      in_tree[static_cast<size_t>(page)] = true;
  }
  for (const PageTable* table : tables) {
    const auto pages = std::span<const int32_t>(table->pages);
    see(pages.subspan(static_cast<size_t>(table->shared)));
    CHECK(std::ranges::all_of(pages.first(static_cast<size_t>(table->shared)),
                              [&](int32_t page) { return in_tree[static_cast<size_t>(page)]; }),
          "a shared page is not in the tree");
  }
  CHECK(counted == page_count(), "{} pages of {} have an owner", counted, page_count());
}

}  // namespace tessera::engine
