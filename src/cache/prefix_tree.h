// PrefixTree: which pages of the KV cache hold which beginnings of sequences. A radix tree over token ids
// whose edges are runs of whole pages. It knows page numbers only; their bytes belong to the executor.
//
// A page that is only partly the same is computed again, not copied: that is at most page_size - 1 tokens of
// a prompt, and spares the executor a call that copies pages.
//
// A page is in use while a lease on its node or on one below is held; everything else may be evicted, the
// least recently used end of a branch first. Deterministic: "recently" counts calls. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

namespace tessera::cache {

class PrefixTree {
 public:
  struct Node;

  explicit PrefixTree(int32_t page_size);
  ~PrefixTree();
  PrefixTree(const PrefixTree&) = delete;
  PrefixTree& operator=(const PrefixTree&) = delete;

  /// Whole pages that it holds of the beginning of `tokens`. Changes nothing.
  int32_t match(std::span<const int32_t> tokens) const;

  /// The nodes that match() passes, root excluded, for comparing where sequences part.
  std::vector<const Node*> path(std::span<const int32_t> tokens) const;

  /// Appends the matching pages to `pages` and leases them. Every lease is given back by release(), once.
  Node* acquire(std::span<const int32_t> tokens, std::vector<int32_t>& pages);

  /// Puts the whole pages of a sequence in: page i holds tokens [i * page_size, (i + 1) * page_size), and
  /// there are exactly as many tokens. Pages that `lease` covers are the tree's already. Of the others the
  /// tree takes over those that it has not; in place of one that it has, pages[i] becomes the tree's, and the
  /// caller's own goes to `duplicates` and stays the caller's. Returns a lease on all of them in place of
  /// `lease`.
  Node* insert(Node* lease, std::span<const int32_t> tokens, std::span<int32_t> pages,
               std::vector<int32_t>& duplicates);

  /// The pages stay, and may be evicted when nobody else holds them.
  void release(Node* lease);

  /// Up to `count` pages that nobody uses, now the caller's.
  std::vector<int32_t> evict(int32_t count);

  int32_t page_count() const { return page_count_; }
  int32_t evictable() const { return evictable_; }  // pages that nobody uses

  /// Every page in it, for checks of invariants; also CHECKs its own: counts, leases, order of branches.
  std::vector<int32_t> checked_pages() const;

 private:
  struct Walk {
    Node* node;     // the last that matched with at least a page (the root: none did)
    int32_t pages;  // of that node
    int32_t total;  // of all
  };
  Walk walk(std::span<const int32_t> tokens) const;
  Node* split(Node* node, int32_t pages);
  Node* matched_node(const Walk& walk);
  Node* add_leaf(Node* parent, std::span<const int32_t> tokens, std::span<const int32_t> pages);
  void lock(Node* node);
  void touch(Node* node);
  void refresh(Node* node);

  const int32_t page_size_;
  std::unique_ptr<Node> root_;
  std::map<uint64_t, Node*> idle_leaves_;  // by last use: what evict() takes first
  uint64_t clock_ = 0;
  int32_t page_count_ = 0;
  int32_t evictable_ = 0;
};

}  // namespace tessera::cache
