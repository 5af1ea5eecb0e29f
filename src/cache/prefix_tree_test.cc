#include "cache/prefix_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace tessera::cache {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Ids = std::vector<int32_t>;

/// Puts a sequence of whole pages in and lets go of it; returns the caller's pages that were there already.
Ids put(PrefixTree& tree, const Ids& tokens, Ids pages) {
  Ids duplicates, held;
  PrefixTree::Node* const lease = tree.acquire({}, held);
  tree.release(tree.insert(lease, tokens, pages, duplicates));
  tree.checked_pages();
  return duplicates;
}

/// The pages that a sequence would reuse.
Ids pages_of(PrefixTree& tree, const Ids& tokens) {
  Ids pages;
  tree.release(tree.acquire(tokens, pages));
  EXPECT_EQ(tree.match(tokens), static_cast<int32_t>(pages.size()));
  tree.checked_pages();
  return pages;
}

TEST(PrefixTree, FindsWholePagesOnly) {
  PrefixTree tree(2);
  EXPECT_THAT(pages_of(tree, {1, 2, 3, 4}), IsEmpty());
  EXPECT_THAT(put(tree, {1, 2, 3, 4, 5, 6}, {10, 11, 12}), IsEmpty());
  EXPECT_THAT(pages_of(tree, {1, 2, 3, 4, 5, 6, 7}), ElementsAre(10, 11, 12));
  EXPECT_THAT(pages_of(tree, {1, 2, 3, 4, 5}), ElementsAre(10, 11));
  EXPECT_THAT(pages_of(tree, {1, 2, 3, 9}), ElementsAre(10));
  EXPECT_THAT(pages_of(tree, {1, 9, 3, 4}), IsEmpty());
  EXPECT_THAT(pages_of(tree, {1}), IsEmpty());
  EXPECT_EQ(tree.page_count(), 3);
  EXPECT_EQ(tree.evictable(), 3);
}

TEST(PrefixTree, BranchesShareTheirBeginning) {
  PrefixTree tree(2);
  put(tree, {1, 2, 3, 4, 5, 6}, {10, 11, 12});
  EXPECT_THAT(put(tree, {1, 2, 3, 4, 7, 8}, {20, 21, 22}), testing::UnorderedElementsAre(20, 21));
  EXPECT_THAT(put(tree, {1, 2}, {30}), ElementsAre(30));
  EXPECT_THAT(pages_of(tree, {1, 2, 3, 4, 7, 8}), ElementsAre(10, 11, 22));
  EXPECT_THAT(pages_of(tree, {1, 2, 3, 4, 5, 6}), ElementsAre(10, 11, 12));
  EXPECT_EQ(tree.page_count(), 4);
}

TEST(PrefixTree, TheCallersPagesBecomeTheTrees) {
  PrefixTree tree(2);
  put(tree, {1, 2}, {10});
  Ids held, duplicates, pages = {20, 21};
  PrefixTree::Node* lease = tree.acquire({}, held);
  lease = tree.insert(lease, Ids{1, 2, 3, 4}, pages, duplicates);
  EXPECT_THAT(pages, ElementsAre(10, 21));
  EXPECT_THAT(duplicates, ElementsAre(20));
  EXPECT_EQ(tree.evictable(), 0) << "the lease covers both";
  tree.release(lease);
  EXPECT_EQ(tree.evictable(), 2);
}

TEST(PrefixTree, EvictsTheEndOfTheLeastRecentlyUsedBranch) {
  PrefixTree tree(1);
  put(tree, {1, 2, 3}, {10, 11, 12});
  put(tree, {1, 5, 6}, {20, 21, 22});
  pages_of(tree, {1, 2});
  EXPECT_THAT(tree.evict(1), ElementsAre(12)) << "what was behind the part that was used again";
  EXPECT_THAT(tree.evict(1), ElementsAre(22));
  EXPECT_THAT(tree.evict(1), ElementsAre(21));
  EXPECT_THAT(pages_of(tree, {1, 2, 3}), ElementsAre(10, 11));
  EXPECT_THAT(tree.evict(5), ElementsAre(11, 10));
  EXPECT_EQ(tree.page_count(), 0);
  EXPECT_THAT(tree.evict(1), IsEmpty());
}

TEST(PrefixTree, NeverEvictsWhatIsHeld) {
  PrefixTree tree(1);
  put(tree, {1, 2, 3}, {10, 11, 12});
  put(tree, {1, 4}, {20, 21});
  Ids pages;
  PrefixTree::Node* const one = tree.acquire(Ids{1, 2}, pages);
  PrefixTree::Node* const two = tree.acquire(Ids{1, 2}, pages);
  EXPECT_EQ(tree.evictable(), 2);
  EXPECT_THAT(tree.evict(9), testing::UnorderedElementsAre(12, 21));
  tree.release(one);
  EXPECT_THAT(tree.evict(9), IsEmpty()) << "the second lease";
  tree.release(two);
  EXPECT_THAT(tree.evict(9), ElementsAre(11, 10));
}

TEST(PrefixTree, PathsPartWhereSequencesDo) {
  PrefixTree tree(1);
  put(tree, {1, 2, 3}, {10, 11, 12});
  put(tree, {1, 4}, {20, 21});
  const auto one = tree.path(Ids{1, 2, 3}), two = tree.path(Ids{1, 4, 9}), none = tree.path(Ids{7});
  ASSERT_EQ(one.size(), 2U);
  ASSERT_EQ(two.size(), 2U);
  EXPECT_EQ(one[0], two[0]);
  EXPECT_NE(one[1], two[1]);
  EXPECT_THAT(none, IsEmpty());
}

/// Random sequences over an alphabet of two, each page with a note of the whole beginning it stands for.
class Simulation {
 public:
  explicit Simulation(uint32_t seed) : random_(seed), page_size_(between(1, 3)), tree_(page_size_) {
    for (int32_t page = 0; page < 40; ++page)
      free_.insert(page);
  }

  void turn() {
    if (!leases_.empty() && between(0, 2) == 0) {
      tree_.release(leases_.back());
      leases_.pop_back();
    } else if (between(0, 5) == 0) {
      for (const int32_t page : tree_.evict(between(1, 4)))
        give_back(page);
    } else {
      grow();
    }
    const Ids held = tree_.checked_pages();
    EXPECT_EQ(std::set(held.begin(), held.end()).size(), held.size());
    EXPECT_EQ(held.size() + free_.size(), 40U);
  }

 private:
  int32_t between(int32_t low, int32_t high) {
    return std::uniform_int_distribution<int32_t>(low, high)(random_);
  }
  void give_back(int32_t page) {
    EXPECT_TRUE(free_.insert(page).second) << "page " << page << " was free";
    meaning_.erase(page);
  }

  /// A sequence is looked up, computed to its last whole page, and put in.
  void grow() {
    Ids tokens(static_cast<size_t>(between(0, 9) * page_size_));
    for (int32_t& token : tokens)
      token = between(0, 1);
    Ids pages;
    // Half of them as if they had begun before the others were done: all their pages are their own.
    PrefixTree::Node* lease =
        tree_.acquire(std::span(tokens).first(between(0, 1) == 0 ? 0 : tokens.size()), pages);
    const size_t wanted = tokens.size() / static_cast<size_t>(page_size_);
    for (size_t page = 0; page < pages.size(); ++page)
      EXPECT_EQ(meaning_[pages[page]], beginning(tokens, page));
    while (pages.size() < wanted && !free_.empty()) {
      const int32_t page = *free_.begin();
      meaning_[page] = beginning(tokens, pages.size());
      pages.push_back(page);
      free_.erase(free_.begin());
    }
    tokens.resize(pages.size() * static_cast<size_t>(page_size_));
    Ids duplicates;
    lease = tree_.insert(lease, tokens, pages, duplicates);
    for (const int32_t page : duplicates)
      give_back(page);
    leases_.push_back(lease);
  }
  Ids beginning(const Ids& tokens, size_t page) const {
    return {tokens.begin(),
            tokens.begin() + static_cast<ptrdiff_t>((page + 1) * static_cast<size_t>(page_size_))};
  }

  std::mt19937 random_;
  int32_t page_size_;
  PrefixTree tree_;
  std::set<int32_t> free_;
  std::map<int32_t, Ids> meaning_;
  std::vector<PrefixTree::Node*> leases_;
};

TEST(PrefixTree, PagesAlwaysMeanWhatTheyWereComputedFrom) {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    Simulation simulation(seed);
    for (int turn = 0; turn < 100; ++turn)
      simulation.turn();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace tessera::cache
