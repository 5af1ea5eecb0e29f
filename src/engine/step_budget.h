// StepBudget: how many prompt tokens a step may take besides its decode rows, so that answers under way do
// not stall: while a prompt is computed, the time between their tokens is at most `stretch` times what it is
// without, on average. So is every single step, where that leaves room for some tokens; it does not behind a
// long prompt, which a step must read back however few tokens it adds (8,192 tokens of Qwen3-0.6B: 940 MB,
// three times the weights). Such steps are followed by some without.
// Requests whose prompts wait are stalled as well: where they are more than the answers under way, the limit
// is as many times higher, since a step then lets more of them go on than it holds up. Without that, 64
// requests at once (Qwen3-0.6B, 256 tokens in, 128 out, 2 cores) got their first tokens in 25 s instead of 13
// (median) and all of them in 52 s instead of 36.
// Learnt from the times of the steps themselves; no model of the machine. Pure: time comes in as numbers.
// Engine thread only.
#pragma once

#include <array>
#include <cstdint>

namespace tessera::engine {

class StepBudget {
 public:
  /// `most` prompt tokens per step in any case. `stretch` > 1, or 0: no limit but `most`.
  StepBudget(int32_t most, double stretch) : most_(most), stretch_(stretch) {}

  /// Prompt tokens for a step of `decode_rows`, for which as many prompts wait to be begun or to be gone on
  /// with. 0 now and then: to make up for a long step, and to measure
  /// how long one takes without them.
  int32_t tokens(int32_t decode_rows, int32_t waiting_prompts);

  /// The step that `tokens` was last asked about took `seconds`.
  void record(int32_t decode_rows, int32_t prompt_tokens, double seconds);

 private:
  double decode_seconds(int32_t decode_rows) const;
  void learn_decode(int32_t decode_rows, double seconds);
  void learn_prompt(double seconds_per_token);

  int32_t most_;
  double stretch_;
  double limit_ = stretch_;                     // of the step that is planned or under way
  std::array<double, 16> decode_seconds_ = {};  // of steps of [2^i, 2^(i+1)) rows alone; 0: never seen
  double prompt_seconds_ = 0;                   // what one more prompt token costs; 0: never seen
  int32_t mixed_steps_ = 0;                     // in a row
  double debt_ = 0;                             // seconds that answers have waited beyond what they should
};

}  // namespace tessera::engine
