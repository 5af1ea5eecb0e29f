// Executor: the narrow seam between scheduling and the model. The engine knows sequences, pages and logits;
// the executor knows weights. Engine tests run on a scripted fake.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "base/thread_pool.h"

namespace tessera::engine {

struct ExecutorInfo {
  int32_t vocab_size = 0;
  int32_t hidden_size = 0;  // of a hidden state
  int32_t max_context = 0;  // tokens per sequence
  int32_t page_size = 0;    // tokens per KV page
  int32_t page_count = 0;   // pages in the cache
};

/// New tokens of one sequence in one step. Tokens take positions start .. start + ids.size() - 1.
struct SequenceChunk {
  enum class Logits : uint8_t { kNone, kLast, kAll };
  enum class Hidden : uint8_t { kNone, kLast, kAll };
  std::span<const int32_t> ids;    // [tokens] >= 1
  int32_t start = 0;               // tokens already in the cache
  std::span<const int32_t> pages;  // page of position p is pages[p / page_size]; covers start + ids.size()
  Logits logits = Logits::kNone;   // of which tokens
  Hidden hidden = Hidden::kNone;   // of which tokens the hidden states, behind the final norm

  /// Rows of logits that it asks for, and of hidden states.
  size_t rows() const { return logits == Logits::kAll ? ids.size() : logits == Logits::kLast ? 1 : 0; }
  size_t hidden_rows() const { return hidden == Hidden::kAll ? ids.size() : hidden == Hidden::kLast ? 1 : 0; }
};

class Executor {
 public:
  virtual ~Executor() = default;
  virtual const ExecutorInfo& info() const = 0;

  /// Runs one forward pass over all chunks, writes their keys and values into their pages, and puts the
  /// logits that are asked for into `logits`, F32 [rows, vocab], and the hidden states into `hidden`, F32
  /// [rows, hidden], both in chunk order. A row depends only on its own sequence. On an error the pages'
  /// contents past `start` are undefined.
  virtual Status step(std::span<const SequenceChunk> chunks, std::span<float> logits,
                      std::span<float> hidden) = 0;

  /// The workers that step() runs on, for what the same thread does between two steps.
  virtual ThreadPool& workers() = 0;
};

}  // namespace tessera::engine
