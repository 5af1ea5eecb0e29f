// A real, tiny model under random schedules: whatever happens around a request, its tokens, their logprobs
// and embeddings are the same to the bit as alone, in one chunk, on one thread, without any cache.
#include <gtest/gtest.h>

#include <deque>
#include <nlohmann/json.hpp>
#include <random>

#include "engine/engine_test_support.h"
#include "engine/model_executor.h"
#include "engine/scheduler.h"
#include "models/model.h"

namespace tessera::engine {
namespace {

constexpr int32_t kContext = 900;  // two splits of attention

struct Variant {
  std::string scheme, cache = "auto";
  bool experts = false;
};

std::unique_ptr<models::Model> make_model(const Variant& variant, int threads) {
  nlohmann::json config = {{"architectures", {variant.experts ? "Qwen3MoeForCausalLM" : "Qwen3ForCausalLM"}},
                           {"vocab_size", kByteVocab},
                           {"hidden_size", 64},
                           {"intermediate_size", 96},
                           {"num_hidden_layers", 2},
                           {"num_attention_heads", 4},
                           {"num_key_value_heads", 2},
                           {"head_dim", 16},
                           {"max_position_embeddings", kContext},
                           {"rms_norm_eps", 1e-6},
                           {"rope_theta", 10000.0},
                           {"tie_word_embeddings", true}};
  if (variant.experts) {
    config["num_experts"] = 4;
    config["num_experts_per_tok"] = 2;
    config["moe_intermediate_size"] = 64;
    config["norm_topk_prob"] = true;
  }
  auto model = models::Model::dummy(
      config, {.scheme = variant.scheme, .kv_cache_dtype = variant.cache, .threads = threads});
  CHECK(model.has_value(), "{}", model.error().message());
  return std::move(*model);
}

struct Arrival {
  Request request;
  int step = 0;  // before which it comes
  Client client = {};
};

struct Machine {
  int threads = 1;
  int32_t page_size = 64, page_count = 64;
};

EngineStats serve(const Variant& variant, const Machine& machine, const EngineOptions& options,
                  std::deque<Arrival>& arrivals) {
  auto model = make_model(variant, machine.threads);
  const ExecutorInfo info{.vocab_size = kByteVocab,
                          .hidden_size = model->config().hidden,
                          .max_context = kContext,
                          .page_size = machine.page_size,
                          .page_count = machine.page_count};
  auto cache = model->make_cache(info.page_size, info.page_count);
  CHECK(cache.has_value());
  ModelExecutor executor(std::move(model), std::move(*cache), info);
  Scheduler scheduler(executor, byte_tokenizer(), options, 1);
  size_t arrived = 0;
  for (int step = 0; arrived < arrivals.size() || !scheduler.idle(); ++step) {
    for (; arrived < arrivals.size() && arrivals[arrived].step <= step; ++arrived) {
      scheduler.add(arrived + 1, arrivals[arrived].request, arrivals[arrived].client.callback());
    }
    scheduler.step();
  }
  return scheduler.stats();
}

/// Prompts of all lengths that begin alike in a few ways, some of them for sampling.
std::deque<Arrival> random_arrivals(std::mt19937& random) {
  const auto between = [&](int32_t low, int32_t high) {
    return std::uniform_int_distribution<int32_t>(low, high)(random);
  };
  std::vector<int32_t> story(kContext);
  for (int32_t& token : story)
    token = between(0, kByteVocab - 1);
  std::deque<Arrival> arrivals;
  for (int step = 0; arrivals.size() < 14; step += between(0, 4)) {
    const int32_t length = between(0, 3) == 0 ? between(500, 700) : between(1, 150);
    Request request = greedy({story.begin(), story.begin() + length}, between(1, 24));
    if (between(0, 1) == 0) request.prompt_ids.back() = between(0, kByteVocab - 1);
    if (between(0, 3) == 0) request.sampling = {.temperature = 0.8F, .top_k = 40, .seed = 7};
    if (between(0, 3) == 0) request.sampling.repetition_penalty = 1.3F;
    request.ignore_eos = true;
    request.logprobs.emplace();
    if (between(0, 3) == 0)
      request = embed(request.prompt_ids, between(0, 1) == 0 ? Pooling::kLast : Pooling::kMean);
    arrivals.push_back({.request = std::move(request), .step = step});
  }
  return arrivals;
}

void compare(const Variant& variant, uint32_t seed) {
  std::mt19937 random(seed);
  std::deque<Arrival> alone = random_arrivals(random);
  for (Arrival& arrival : alone) {
    std::deque<Arrival> one = {{.request = arrival.request}};
    serve(variant, {}, {.chunked_prefill_size = kContext, .share_prefixes = false}, one);
    arrival.client = std::move(one.front().client);
  }
  const std::vector<std::pair<Machine, EngineOptions>> machines = {
      {{.threads = 2}, {.chunked_prefill_size = 33, .max_step_stretch = 0}},
      {{.threads = 1, .page_size = 16, .page_count = 250},
       {.max_running_requests = 5, .chunked_prefill_size = 100, .ngram = {.draft_tokens = 5}}},
      {{.threads = 3, .page_size = 2, .page_count = 700},
       {.chunked_prefill_size = 64,
        .schedule_policy = SchedulePolicy::kLpm,
        .schedule_conservativeness = 0.1,
        .ngram = {.draft_tokens = 3}}},
      {{.threads = 2, .page_size = 5, .page_count = 200},
       {.chunked_prefill_size = 77, .schedule_policy = SchedulePolicy::kDfsWeight, .share_prefixes = false}}};
  for (const auto& [machine, options] : machines) {
    SCOPED_TRACE(fmt::format("{} threads, pages of {}", machine.threads, machine.page_size));
    std::deque<Arrival> together;
    for (const Arrival& arrival : alone)
      together.push_back({.request = arrival.request, .step = arrival.step});
    const EngineStats stats = serve(variant, machine, options, together);
    EXPECT_EQ(stats.cached_tokens > 0, options.share_prefixes);
    for (size_t at = 0; at < alone.size(); ++at) {
      EXPECT_EQ(together[at].client.ids, alone[at].client.ids) << "request " << at;
      EXPECT_EQ(together[at].client.logprobs, alone[at].client.logprobs) << "request " << at;
      EXPECT_EQ(together[at].client.embedding, alone[at].client.embedding) << "request " << at;
    }
  }
}

TEST(RealModel, SameBitsInAnyCompanyW4A8) {
  compare({.scheme = "w4a8"}, 1);
}

TEST(RealModel, SameBitsInAnyCompanyBf16) {
  compare({.scheme = "bf16"}, 2);
}

TEST(RealModel, SameBitsInAnyCompanyW4A4Int8Cache) {
  compare({.scheme = "w4a4", .cache = "int8"}, 3);
}

TEST(RealModel, SameBitsInAnyCompanyExperts) {
  compare({.scheme = "w8a8", .experts = true}, 4);
}

}  // namespace
}  // namespace tessera::engine
