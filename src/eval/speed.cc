#include "eval/speed.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <vector>

#include "cache/kv_cache.h"
#include "kernels/argmax/argmax.h"

namespace tessera::eval {
namespace {

constexpr int32_t kPageSize = 64;  // tokens
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace

Result<Speed> measure_speed(models::Model& model, std::span<const int32_t> ids, const SpeedOptions& options) {
  const models::ModelConfig& config = model.config();
  const int32_t decode = std::min(options.decode, config.max_position - 1);
  const int32_t prompt =
      std::min({options.prompt, config.max_position - decode, static_cast<int32_t>(ids.size())});
  std::vector<int32_t> pages(static_cast<size_t>((prompt + decode + kPageSize - 1) / kPageSize));
  std::iota(pages.begin(), pages.end(), 0);
  auto cache = TRY(model.make_cache(kPageSize, static_cast<int32_t>(pages.size())));
  std::vector<float> logits(static_cast<size_t>(config.vocab));
  const auto step = [&](std::span<const int32_t> tokens, int32_t start) {
    const models::Chunk chunk{
        .ids = tokens, .start = start, .pages = pages, .logits = models::Chunk::Logits::kLast};
    return model.forward(std::span(&chunk, 1), cache, {logits.data(), 1, config.vocab});
  };
  std::vector<double> prefill, decoding;
  for (int32_t repeat = 0; repeat < options.repeats; ++repeat) {
    auto begin = Clock::now();
    TRY_STATUS(step(ids.first(static_cast<size_t>(prompt)), 0));
    prefill.push_back(prompt / seconds_since(begin));
    begin = Clock::now();
    for (int32_t at = 0; at < decode; ++at) {
      const auto next = static_cast<int32_t>(kernels::argmax(logits.data(), config.vocab));
      TRY_STATUS(step(std::span(&next, 1), prompt + at));
    }
    decoding.push_back(decode / seconds_since(begin));
  }
  return Speed{.prefill_tokens_per_s = median(prefill), .decode_tokens_per_s = median(decoding)};
}

}  // namespace tessera::eval
