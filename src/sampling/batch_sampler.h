// BatchSampler: draws for many sequences at once, on all workers of a pool. What a sequence gets does not
// depend on the others nor on the workers. One caller at a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/thread_pool.h"
#include "sampling/logit_adjust.h"
#include "sampling/logprobs.h"
#include "sampling/sampler.h"

namespace tessera::sampling {

/// Rows of one sequence: of the token to draw, and one behind each draft; or of known tokens, whose logprobs
/// alone are wanted.
struct Draw {
  std::span<const float> logits;  // [1 + drafts, vocab] or [known, vocab]
  const SamplingParams* params = nullptr;
  uint64_t seed = 0;
  uint64_t position = 0;                     // in the answer, of the token to draw
  std::span<const int32_t> known = {};       // what each row is followed by: nothing is drawn
  std::span<const int32_t> drafts = {};      // guesses at the tokens drawn from all rows but the last
  std::span<const int32_t> forbidden = {};   // before params->min_new_tokens
  TokenCounts* counts = nullptr;             // for penalties; what is drawn is added
  const LogprobRequest* logprobs = nullptr;  // null: none wanted
};

struct Drawn {
  std::vector<int32_t> tokens = {};     // the drawn one, and one more behind each draft that was right
  std::vector<Logprobs> logprobs = {};  // of `tokens` if wanted, or of Draw::known
};

class BatchSampler {
 public:
  /// One result for each of `draws`, in their order; valid until the next call.
  std::span<const Result<Drawn>> sample(std::span<const Draw> draws, ThreadPool& pool);

 private:
  /// One for each that draws at the same time: they own scratch memory.
  struct Lane {
    Sampler sampler;
    std::vector<float> adjusted;

    Result<Drawn> sample(const Draw& draw);
    Result<int32_t> sample_row(const Draw& draw, std::span<const float> logits, uint64_t position);
  };
  std::vector<Lane> lanes_;
  std::vector<Result<Drawn>> results_;
};

}  // namespace tessera::sampling
