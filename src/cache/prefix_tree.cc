#include "cache/prefix_tree.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace tessera::cache {
namespace {

/// Orders pages of tokens, whether they are a key or part of a sequence.
struct PageLess {
  using is_transparent = void;
  bool operator()(std::span<const int32_t> a, std::span<const int32_t> b) const {
    return std::ranges::lexicographical_compare(a, b);
  }
};

}  // namespace

struct PrefixTree::Node {
  Node* parent = nullptr;
  std::vector<int32_t> tokens = {};  // of `pages`; none at the root alone
  std::vector<int32_t> pages = {};
  // By the first page's tokens: an exact comparison, no hash that a client could make collide.
  std::map<std::vector<int32_t>, std::unique_ptr<Node>, PageLess> children = {};
  int32_t leases = 0;  // on it and on all nodes below
  uint64_t last_use = 0;
  bool listed = false;  // in idle_leaves_

  int32_t page_count() const { return static_cast<int32_t>(pages.size()); }
};

PrefixTree::PrefixTree(int32_t page_size) : page_size_(page_size), root_(std::make_unique<Node>()) {
  CHECK(page_size > 0, "page_size={}", page_size);
}

PrefixTree::~PrefixTree() {
  // Branches are as deep as conversations have turns: they are taken apart from the ends, not by recursion.
  std::vector<std::unique_ptr<Node>> pending;
  pending.push_back(std::move(root_));
  while (!pending.empty()) {
    const std::unique_ptr<Node> node = std::move(pending.back());
    pending.pop_back();
    for (auto& [key, child] : node->children)
      pending.push_back(std::move(child));
  }
}

PrefixTree::Walk PrefixTree::walk(std::span<const int32_t> tokens) const {
  const auto page = static_cast<size_t>(page_size_);
  Walk at{.node = root_.get(), .pages = 0, .total = 0};
  while (at.pages == at.node->page_count() && tokens.size() >= page) {
    const auto child = at.node->children.find(tokens.first(page));
    if (child == at.node->children.end()) break;
    const Node& node = *child->second;
    size_t same = 1;
    while (same < node.pages.size() && tokens.size() >= (same + 1) * page &&
           std::ranges::equal(tokens.subspan(same * page, page),
                              std::span(node.tokens).subspan(same * page, page)))
      ++same;
    at = {.node = child->second.get(),
          .pages = static_cast<int32_t>(same),
          .total = at.total + static_cast<int32_t>(same)};
    tokens = tokens.subspan(same * page);
  }
  return at;
}

int32_t PrefixTree::match(std::span<const int32_t> tokens) const {
  return walk(tokens).total;
}

std::vector<const PrefixTree::Node*> PrefixTree::path(std::span<const int32_t> tokens) const {
  std::vector<const Node*> nodes;
  for (const Node* node = walk(tokens).node; node->parent; node = node->parent)
    nodes.push_back(node);
  std::ranges::reverse(nodes);
  return nodes;
}

/// `node` keeps its end, from `pages` on; returns the new node above it with the beginning.
PrefixTree::Node* PrefixTree::split(Node* node, int32_t pages) {
  const auto tokens = static_cast<ptrdiff_t>(pages) * page_size_;
  Node* parent = node->parent;
  const auto key = std::span<const int32_t>(node->tokens).first(static_cast<size_t>(page_size_));
  std::unique_ptr<Node>& place = parent->children.find(key)->second;
  auto lower = std::exchange(place, std::make_unique<Node>());
  Node* upper = place.get();
  upper->parent = parent;
  upper->tokens.assign(node->tokens.begin(), node->tokens.begin() + tokens);
  upper->pages.assign(node->pages.begin(), node->pages.begin() + pages);
  upper->leases = node->leases;
  upper->last_use = node->last_use;
  node->tokens.erase(node->tokens.begin(), node->tokens.begin() + tokens);
  node->pages.erase(node->pages.begin(), node->pages.begin() + pages);
  node->parent = upper;
  upper->children.emplace(std::vector(node->tokens.begin(), node->tokens.begin() + page_size_),
                          std::move(lower));
  return upper;
}

PrefixTree::Node* PrefixTree::matched_node(const Walk& walk) {
  return walk.pages < walk.node->page_count() ? split(walk.node, walk.pages) : walk.node;
}

PrefixTree::Node* PrefixTree::acquire(std::span<const int32_t> tokens, std::vector<int32_t>& pages) {
  Node* const node = matched_node(walk(tokens));
  lock(node);
  touch(node);
  const size_t before = pages.size();
  for (const Node* at = node; at->parent; at = at->parent)
    pages.insert(pages.begin() + static_cast<ptrdiff_t>(before), at->pages.begin(), at->pages.end());
  return node;
}

PrefixTree::Node* PrefixTree::add_leaf(Node* parent, std::span<const int32_t> tokens,
                                       std::span<const int32_t> pages) {
  auto leaf = std::make_unique<Node>();
  leaf->parent = parent;
  leaf->tokens.assign(tokens.begin(), tokens.end());
  leaf->pages.assign(pages.begin(), pages.end());
  page_count_ += leaf->page_count();
  evictable_ += leaf->page_count();  // until it is locked
  auto& place = parent->children[std::vector(tokens.begin(), tokens.begin() + page_size_)];
  CHECK(!place, "a page of tokens is in the tree twice");
  place = std::move(leaf);
  return place.get();
}

PrefixTree::Node* PrefixTree::insert(Node* lease, std::span<const int32_t> tokens, std::span<int32_t> pages,
                                     std::vector<int32_t>& duplicates) {
  CHECK(tokens.size() == pages.size() * static_cast<size_t>(page_size_), "{} tokens in {} pages",
        tokens.size(), pages.size());
  const Walk walked = walk(tokens);
  Node* node = matched_node(walked);
  size_t place = static_cast<size_t>(walked.total);
  const auto rest = pages.subspan(place);
  for (const Node* at = node; at->parent; at = at->parent) {
    for (size_t i = at->pages.size(); i-- > 0;) {
      int32_t& own = pages[--place];
      if (own != at->pages[i]) duplicates.push_back(std::exchange(own, at->pages[i]));
    }
  }
  if (!rest.empty()) node = add_leaf(node, tokens.last(rest.size() * static_cast<size_t>(page_size_)), rest);
  lock(node);
  touch(node);
  release(lease);
  return node;
}

void PrefixTree::lock(Node* node) {
  for (Node* at = node; at->parent; at = at->parent) {
    if (at->leases++ == 0) evictable_ -= at->page_count();
  }
}

void PrefixTree::release(Node* lease) {
  for (Node* at = lease; at->parent; at = at->parent) {
    CHECK(at->leases > 0, "a lease is given back twice");
    if (--at->leases == 0) {
      evictable_ += at->page_count();
      refresh(at);
    }
  }
}

void PrefixTree::touch(Node* node) {
  for (Node* at = node; at->parent; at = at->parent) {
    if (at->listed) idle_leaves_.erase(at->last_use);
    at->listed = false;
    at->last_use = ++clock_;
    refresh(at);
  }
}

/// Lists or unlists it by what is true now.
void PrefixTree::refresh(Node* node) {
  const bool idle = node->parent && node->leases == 0 && node->children.empty();
  if (idle == node->listed) return;
  node->listed = idle;
  if (!idle) {
    idle_leaves_.erase(node->last_use);
  } else {
    const bool added = idle_leaves_.emplace(node->last_use, node).second;
    CHECK(added, "two nodes were used at {}", node->last_use);
  }
}

std::vector<int32_t> PrefixTree::evict(int32_t count) {
  std::vector<int32_t> freed;
  while (count > 0 && !idle_leaves_.empty()) {
    Node* const leaf = idle_leaves_.begin()->second;
    const int32_t taken = std::min(count, leaf->page_count());
    freed.insert(freed.end(), leaf->pages.end() - taken, leaf->pages.end());
    leaf->pages.resize(leaf->pages.size() - static_cast<size_t>(taken));
    page_count_ -= taken;
    evictable_ -= taken;
    count -= taken;
    if (!leaf->pages.empty()) {
      leaf->tokens.resize(leaf->pages.size() * static_cast<size_t>(page_size_));
      continue;
    }
    idle_leaves_.erase(idle_leaves_.begin());
    Node* const parent = leaf->parent;
    const auto key = std::span<const int32_t>(leaf->tokens).first(static_cast<size_t>(page_size_));
    parent->children.erase(parent->children.find(key));
    refresh(parent);
  }
  return freed;
}

std::vector<int32_t> PrefixTree::checked_pages() const {
  std::vector<int32_t> pages;
  int32_t evictable = 0;
  std::vector<const Node*> pending = {root_.get()};
  while (!pending.empty()) {
    const Node* node = pending.back();
    pending.pop_back();
    pages.insert(pages.end(), node->pages.begin(), node->pages.end());
    if (node->leases == 0) evictable += node->page_count();
    int32_t below = 0;
    for (const auto& [key, child] : node->children) {
      CHECK(child->parent == node && !child->pages.empty() &&
                child->tokens.size() == child->pages.size() * static_cast<size_t>(page_size_) &&
                std::ranges::equal(key, std::span(child->tokens).first(key.size())),
            "a branch of {} pages and {} tokens", child->pages.size(), child->tokens.size());
      below += child->leases;
      pending.push_back(child.get());
    }
    CHECK(!node->parent || node->leases >= below, "{} leases on a node, {} below it", node->leases, below);
    CHECK(node->listed == (node->parent && node->leases == 0 && node->children.empty()), "listed={}",
          node->listed);
  }
  CHECK(static_cast<int32_t>(pages.size()) == page_count_ && evictable == evictable_,
        "{} pages, {} of them evictable; counted {} and {}", page_count_, evictable_, pages.size(),
        evictable);
  return pages;
}

}  // namespace tessera::cache
