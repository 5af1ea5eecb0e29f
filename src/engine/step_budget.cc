#include "engine/step_budget.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace tessera::engine {
namespace {

// Aim below the limit: a step's time varies, and the prompt's tokens cost more the further it gets.
constexpr double kMargin = 0.85;
// What is read for one prompt token, weights and the prompt so far, serves so many as well.
constexpr int32_t kLeastTokens = 16;
// A step that hung for the machine's reasons is not made up for by more than this many others.
constexpr double kMostDebt = 16;
// After so many mixed steps one goes without prompt tokens: contexts have grown, answers have ended.
constexpr int32_t kRefresh = 64;
constexpr double kDecodeKeep = 0.75;  // of what was learnt before, per step
// The cost of a token is told to fall slowly: rows are free until the multiplications take longer than
// reading the weights, and what was learnt before that point is too little behind it. A tenth more rows do
// not exceed the margin. It may rise faster, but a hiccup of the machine is not a law.
constexpr double kFall = 0.92, kRise = 2.0;

}  // namespace

/// Of the same size; or of the next smaller one known, which is too short rather than too long; or of any.
double StepBudget::decode_seconds(int32_t decode_rows) const {
  const auto size =
      std::min<size_t>(static_cast<size_t>(std::bit_width(static_cast<uint32_t>(decode_rows))) - 1,
                       decode_seconds_.size() - 1);
  for (size_t at = size + 1; at-- > 0;) {
    if (decode_seconds_[at] > 0) return decode_seconds_[at];
  }
  const auto larger = std::ranges::find_if(decode_seconds_, [](double seconds) { return seconds > 0; });
  return larger == decode_seconds_.end() ? 0 : *larger;
}

int32_t StepBudget::tokens(int32_t decode_rows, int32_t waiting_prompts) {
  if (stretch_ <= 0 || decode_rows == 0) return most_;
  limit_ = stretch_ * std::max(1.0, static_cast<double>(waiting_prompts) / decode_rows);
  const double alone = decode_seconds(decode_rows);
  if (alone <= 0 || mixed_steps_ >= kRefresh || debt_ > 0) return 0;
  if (prompt_seconds_ <= 0) return std::min(most_, kLeastTokens);
  const double fit = alone * (limit_ * kMargin - 1) / prompt_seconds_;
  return std::min(most_, static_cast<int32_t>(std::clamp<double>(fit, kLeastTokens, 1e9)));
}

void StepBudget::learn_decode(int32_t decode_rows, double seconds) {
  const auto size =
      std::min<size_t>(static_cast<size_t>(std::bit_width(static_cast<uint32_t>(decode_rows))) - 1,
                       decode_seconds_.size() - 1);
  double& known = decode_seconds_[size];
  known = known <= 0 ? seconds
                     : known * kDecodeKeep + std::clamp(seconds, known / 2, known * 2) * (1 - kDecodeKeep);
}

void StepBudget::learn_prompt(double seconds_per_token) {
  prompt_seconds_ = prompt_seconds_ <= 0
                        ? seconds_per_token
                        : std::clamp(seconds_per_token, prompt_seconds_ * kFall, prompt_seconds_ * kRise);
}

void StepBudget::record(int32_t decode_rows, int32_t prompt_tokens, double seconds) {
  if (stretch_ <= 0 || !(seconds > 0)) return;
  if (decode_rows == 0) {
    debt_ = 0;
    mixed_steps_ = 0;
    // Alone, a token costs at least as much as beside others. Only to begin with.
    if (prompt_seconds_ <= 0) learn_prompt(seconds / prompt_tokens);
    return;
  }
  if (prompt_tokens == 0) learn_decode(decode_rows, seconds);
  const double alone = decode_seconds(decode_rows);
  if (alone <= 0) return;
  debt_ = std::clamp(debt_ + seconds - alone * limit_ * kMargin, 0.0, alone * kMostDebt);
  mixed_steps_ = prompt_tokens > 0 ? mixed_steps_ + 1 : 0;
  // Of few tokens the difference is noise.
  if (2 * prompt_tokens >= std::min(most_, kLeastTokens))
    learn_prompt(std::max(seconds - alone, alone * 0.01) / prompt_tokens);
}

}  // namespace tessera::engine
