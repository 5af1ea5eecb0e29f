// FakeExecutor: an executor without a model, for the tests of the engine and of all above it. Its next token
// is a function of the whole history, and the history is read back from the pages, never remembered
// elsewhere: a page that is lost, shared, overwritten or passed in the wrong order changes the answer or
// fails the step. Header only, so that it is in no program. Called by one thread, as every executor.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <span>
#include <vector>

#include "engine/executor.h"
#include "sampling/random.h"

namespace tessera::engine {

class FakeExecutor : public Executor {
 public:
  /// The token that follows a history (prompt and answer so far, never empty). Greedy requests get exactly
  /// this.
  using Script = std::function<int32_t(std::span<const int32_t> history)>;
  /// Runs before each step; an error becomes the step's. To fail, to block, to look at batches.
  using Hook = std::function<Status(std::span<const SequenceChunk>)>;

  explicit FakeExecutor(const ExecutorInfo& info, Script script = {}, Hook hook = {})
      : info_(info),
        script_(script ? std::move(script) : hashed(info.vocab_size)),
        hook_(std::move(hook)),
        slots_(static_cast<size_t>(info.page_size) * static_cast<size_t>(info.page_count)) {}

  /// The default script: any token but `avoid`, as good as random, different for every history.
  static Script hashed(int32_t vocab_size, std::vector<int32_t> avoid = {}) {
    return [vocab_size, avoid = std::move(avoid)](std::span<const int32_t> history) {
      uint64_t hash = chain(history);
      for (;; hash = sampling::mix64(hash + 1)) {
        const auto token = static_cast<int32_t>(hash % static_cast<uint64_t>(vocab_size));
        if (std::find(avoid.begin(), avoid.end(), token) == avoid.end()) return token;
      }
    };
  }

  /// What a greedy request of `count` tokens gets when nothing stops it before.
  static std::vector<int32_t> answer(const Script& script, std::vector<int32_t> prompt, int32_t count) {
    std::vector<int32_t> out;
    for (int32_t token = 0; token < count; ++token) {
      out.push_back(script(prompt));
      prompt.push_back(out.back());
    }
    return out;
  }

  const ExecutorInfo& info() const override { return info_; }

  /// The hidden state after `history`, [hidden]: a function of all of it.
  static std::vector<float> hidden_state(std::span<const int32_t> history, int32_t hidden_size) {
    std::vector<float> state;
    for (int32_t at = 0; at < hidden_size; ++at)
      state.push_back(static_cast<float>(sampling::random_unit(~chain(history), static_cast<uint64_t>(at))) -
                      0.5F);
    return state;
  }

  Status step(std::span<const SequenceChunk> chunks, std::span<float> logits,
              std::span<float> hidden) override {
    if (hook_) TRY_STATUS(hook_(chunks));
    TRY_STATUS(check_batch(chunks, logits, hidden));
    // All is written before anything is read: a page that two sequences write to cannot go unnoticed.
    for (const SequenceChunk& chunk : chunks)
      write(chunk);
    size_t row = 0;
    const auto vocab = static_cast<size_t>(info_.vocab_size);
    for (const SequenceChunk& chunk : chunks) {
      const std::vector<int32_t> history = TRY(read(chunk));
      for (size_t back = chunk.rows(); back > 0; --back) {
        fill(std::span(history).first(history.size() - back + 1), logits.subspan(vocab * row++, vocab));
      }
      for (size_t back = chunk.hidden_rows(); back > 0; --back) {
        const auto state =
            hidden_state(std::span(history).first(history.size() - back + 1), info_.hidden_size);
        std::ranges::copy(state, hidden.begin());
        hidden = hidden.subspan(state.size());
      }
    }
    return {};
  }

  ThreadPool& workers() override { return workers_; }

 private:
  /// One token's place in the cache. `chain` is a hash of the history up to and with it: it cannot come from
  /// elsewhere.
  struct Slot {
    int32_t token = -1;
    int32_t position = -1;
    uint64_t chain = 0;
  };

  static uint64_t link(uint64_t before, int32_t token) {
    return sampling::mix64(before + 0x9e3779b97f4a7c15U * (static_cast<uint64_t>(token) + 1));
  }
  static uint64_t chain(std::span<const int32_t> history) {
    uint64_t hash = 0;
    for (const int32_t token : history)
      hash = link(hash, token);
    return hash;
  }

  Slot& slot(const SequenceChunk& chunk, int32_t position) {
    const int32_t page = chunk.pages[static_cast<size_t>(position / info_.page_size)];
    return slots_[static_cast<size_t>(page) * static_cast<size_t>(info_.page_size) +
                  static_cast<size_t>(position % info_.page_size)];
  }

  Status check_batch(std::span<const SequenceChunk> chunks, std::span<const float> logits,
                     std::span<const float> hidden) const {
    if (chunks.empty()) return internal_error("a step without chunks");
    size_t rows = 0, hidden_rows = 0;
    for (const SequenceChunk& chunk : chunks) {
      rows += chunk.rows();
      hidden_rows += chunk.hidden_rows();
      const int64_t end = int64_t{chunk.start} + static_cast<int64_t>(chunk.ids.size());
      if (chunk.ids.empty() || chunk.start < 0 || end > info_.max_context) {
        return internal_error("a chunk of {} tokens at {}, expected a run within the context of {}",
                              chunk.ids.size(), chunk.start, info_.max_context);
      }
      if (static_cast<int64_t>(chunk.pages.size()) * info_.page_size < end) {
        return internal_error("{} pages for {} tokens", chunk.pages.size(), end);
      }
      for (const int32_t page : chunk.pages) {
        if (page < 0 || page >= info_.page_count)
          return internal_error("page {} of {}", page, info_.page_count);
      }
      for (const int32_t token : chunk.ids) {
        if (token < 0 || token >= info_.vocab_size)
          return internal_error("token {} of {}", token, info_.vocab_size);
      }
    }
    TRY_STATUS(check_sharing(chunks));
    if (hidden.size() != hidden_rows * static_cast<size_t>(info_.hidden_size)) {
      return internal_error("room for {} numbers of hidden states, expected {} rows of {}", hidden.size(),
                            hidden_rows, info_.hidden_size);
    }
    if (logits.size() != rows * static_cast<size_t>(info_.vocab_size)) {
      return internal_error("room for {} logits, expected {} rows of {}", logits.size(), rows,
                            info_.vocab_size);
    }
    return {};
  }

  /// Pages may be shared, but not one that is written to in this step.
  Status check_sharing(std::span<const SequenceChunk> chunks) const {
    std::map<int32_t, int> holders;
    for (const SequenceChunk& chunk : chunks) {
      for (const int32_t page : chunk.pages)
        ++holders[page];
    }
    for (const SequenceChunk& chunk : chunks) {
      const size_t end =
          (static_cast<size_t>(chunk.start) + chunk.ids.size() - 1) / static_cast<size_t>(info_.page_size);
      for (size_t at = static_cast<size_t>(chunk.start / info_.page_size); at <= end; ++at) {
        if (holders[chunk.pages[at]] > 1)
          return internal_error("page {} is written to and passed twice in one step", chunk.pages[at]);
      }
    }
    return {};
  }

  void write(const SequenceChunk& chunk) {
    uint64_t hash = chunk.start == 0 ? 0 : slot(chunk, chunk.start - 1).chain;
    int32_t position = chunk.start;
    for (const int32_t token : chunk.ids) {
      hash = link(hash, token);
      slot(chunk, position) = {token, position, hash};
      ++position;
    }
  }

  Result<std::vector<int32_t>> read(const SequenceChunk& chunk) {
    std::vector<int32_t> history;
    uint64_t hash = 0;
    const int32_t end = chunk.start + static_cast<int32_t>(chunk.ids.size());
    for (int32_t position = 0; position < end; ++position) {
      const Slot& at = slot(chunk, position);
      hash = link(hash, at.token);
      if (at.position != position || at.chain != hash) {
        return internal_error(
            "page {} holds token {} of position {} where position {} of its sequence belongs",
            chunk.pages[static_cast<size_t>(position / info_.page_size)], at.token, at.position, position);
      }
      history.push_back(at.token);
    }
    return history;
  }

  /// Small random logits, and one far above them: sampling has a distribution to draw from, greedy has its
  /// token.
  void fill(std::span<const int32_t> history, std::span<float> row) const {
    const uint64_t hash = chain(history);
    for (size_t token = 0; token < row.size(); ++token) {
      row[token] = static_cast<float>(sampling::random_unit(hash, token));
    }
    row[static_cast<size_t>(script_(history))] = 3.0F;
  }

  ExecutorInfo info_;
  Script script_;
  Hook hook_;
  std::vector<Slot> slots_;
  ThreadPool workers_{2};
};

}  // namespace tessera::engine
