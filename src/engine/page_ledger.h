// PageLedger: who has which pages of the KV cache. Every page is free, one sequence's own, or the prefix
// tree's, where any number of sequences may read it. Knows page numbers only. Engine thread only.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cache/prefix_tree.h"
#include "engine/page_pool.h"

namespace tessera::engine {

/// The pages of one sequence, in order of positions: first the tree's, then its own.
struct PageTable {
  std::vector<int32_t> pages = {};
  int32_t shared = 0;  // that many are the tree's, held by `lease`
  cache::PrefixTree::Node* lease = nullptr;

  int32_t size() const { return static_cast<int32_t>(pages.size()); }
};

class PageLedger {
 public:
  /// Without `share_prefixes` there is no tree, and pages are free or a sequence's own.
  PageLedger(int32_t page_count, int32_t page_size, bool share_prefixes);

  int32_t page_size() const { return page_size_; }
  int32_t page_count() const { return pool_.page_count(); }
  /// Pages that cover() could give: free ones, and those of the tree that no sequence holds.
  int32_t available() const { return pool_.free_count() + kept(); }
  /// Of these the tree's.
  int32_t kept() const { return tree_ ? tree_->evictable() : 0; }

  /// Whole pages of the beginning of `tokens` that the tree has.
  int32_t match(std::span<const int32_t> tokens) const { return tree_ ? tree_->match(tokens) : 0; }
  /// Where in the tree the beginning of `tokens` lies, for comparing sequences.
  std::vector<const cache::PrefixTree::Node*> path(std::span<const int32_t> tokens) const;

  /// `table`, empty, gets the tree's pages of the beginning of `tokens`.
  void open(PageTable& table, std::span<const int32_t> tokens);
  /// `table` gets own pages until it has `pages`; false, and nothing has changed, when they are not
  /// available.
  bool cover(PageTable& table, int32_t pages);
  /// The tree takes over the whole pages of `tokens`, which are the beginning of what is in the cache.
  void share(PageTable& table, std::span<const int32_t> tokens);
  /// Gives back all of it.
  void close(PageTable& table);

  /// Forgets every prefix that no sequence holds.
  void flush();

  /// CHECKs that every page has exactly one owner, `tables` being those of all sequences. O(pages).
  void check(std::span<const PageTable* const> tables) const;

 private:
  const int32_t page_size_;
  PagePool pool_;
  std::optional<cache::PrefixTree> tree_;
};

}  // namespace tessera::engine
