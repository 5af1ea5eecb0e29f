// What a timeline says of real requests: a tiny model behind the engine, and its trace read as JSON.
#include "base/timeline.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/engine.h"
#include "engine/engine_test_support.h"
#include "engine/model_executor.h"
#include "models/model.h"

namespace tessera::engine {
namespace {

constexpr int32_t kLayers = 2, kPrompt = 20, kAnswer = 5, kRequests = 3;

std::unique_ptr<Engine> make_engine(bool experts) {
  nlohmann::json config = {{"architectures", {experts ? "Qwen3MoeForCausalLM" : "Qwen3ForCausalLM"}},
                           {"vocab_size", kByteVocab},
                           {"hidden_size", 64},
                           {"intermediate_size", 96},
                           {"num_hidden_layers", kLayers},
                           {"num_attention_heads", 4},
                           {"num_key_value_heads", 2},
                           {"head_dim", 16},
                           {"max_position_embeddings", 128},
                           {"rms_norm_eps", 1e-6},
                           {"rope_theta", 10000.0},
                           {"tie_word_embeddings", true},
                           {"num_experts", 4},
                           {"num_experts_per_tok", 2},
                           {"moe_intermediate_size", 64},
                           {"norm_topk_prob", true}};
  auto model = models::Model::dummy(config, {.scheme = "w8a8", .threads = 2}).value();
  const ExecutorInfo info{.vocab_size = kByteVocab, .max_context = 128, .page_size = 16, .page_count = 32};
  auto cache = model->make_cache(info.page_size, info.page_count).value();
  return Engine::start(std::make_unique<ModelExecutor>(std::move(model), std::move(cache), info),
                       byte_tokenizer(),
                       {.max_running_requests = 2, .chunked_prefill_size = 8, .max_step_stretch = 0})
      .value();
}

void answer_requests(Engine& engine) {
  std::vector<Client> clients(kRequests);
  std::vector<std::promise<void>> done(kRequests);
  for (size_t i = 0; i < kRequests; ++i) {
    std::vector<int32_t> prompt(kPrompt, static_cast<int32_t>(40 + i));
    Request request = greedy(std::move(prompt), kAnswer);
    request.ignore_eos = true;
    const auto id = engine.submit(std::move(request), [&, i](const Output& output) {
      clients[i].take(output);
      if (output.finish) done[i].set_value();
    });
    ASSERT_TRUE(id.has_value());
  }
  for (std::promise<void>& one : done)
    one.get_future().wait();
}

nlohmann::json trace_of(bool experts) {
  const auto path = std::filesystem::temp_directory_path() / fmt::format("tessera-trace-{}.json", getpid());
  {
    const auto timeline = Timeline::start(path).value();
    const auto engine = make_engine(experts);
    answer_requests(*engine);
  }
  std::ifstream file(path);
  nlohmann::json events = nlohmann::json::parse(file);
  std::filesystem::remove(path);
  return events;
}

int64_t nanoseconds(const nlohmann::json& microseconds) {
  return std::llround(microseconds.get<double>() * 1000);
}

/// Every span of a thread lies within the one that is open when it begins; returns "parent/name" of all.
std::map<std::string, int> check_nesting(const nlohmann::json& events) {
  struct Open {
    std::string name;
    int64_t begin, end;
  };
  std::map<int, std::vector<Open>> spans;
  for (const auto& event : events) {
    if (event["ph"] != "X") continue;
    const int64_t begin = nanoseconds(event["ts"]);
    spans[event["tid"]].push_back({event["name"], begin, begin + nanoseconds(event["dur"])});
  }
  std::map<std::string, int> found;
  for (auto& [thread, list] : spans) {
    std::ranges::stable_sort(list, [](const Open& a, const Open& b) {
      return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
    });
    std::vector<Open> open;
    for (const Open& span : list) {
      while (!open.empty() && open.back().end <= span.begin)
        open.pop_back();
      EXPECT_TRUE(open.empty() || span.end <= open.back().end) << span.name << " leaves " << open.back().name;
      ++found[(open.empty() ? "" : open.back().name + "/") + span.name];
      open.push_back(span);
    }
  }
  return found;
}

TEST(EngineTimeline, ShowsStepsDownToKernels) {
  for (const bool experts : {false, true}) {
    const auto found = check_nesting(trace_of(experts));
    const auto count = [&](const std::string& name) { return found.contains(name) ? found.at(name) : 0; };
    const int steps = count("decode step") + count("prefill step") + count("mixed step");
    EXPECT_GE(count("prefill step"), 3) << "a prompt of 20 tokens in chunks of 8";
    EXPECT_GE(count("decode step"), 1);
    EXPECT_EQ(count("plan"), steps);
    EXPECT_EQ(count("forward/layer"), steps * kLayers);
    EXPECT_EQ(count("layer/attention"), steps * kLayers);
    for (const char* inside : {"qkv", "rotate and store", "attend", "o_proj"})
      EXPECT_EQ(count(std::string("attention/") + inside), steps * kLayers) << inside;
    EXPECT_GT(count("forward/head"), 0);
    // The last layer of a step whose logits nobody wants ends after attention.
    EXPECT_GE(count(experts ? "experts/gate_up and silu" : "mlp/gate_up"), steps * (kLayers - 1));
    EXPECT_GE(count(experts ? "experts/down" : "mlp/down"), steps * (kLayers - 1));
  }
}

TEST(EngineTimeline, ShowsRequestsWaitAndRun) {
  const nlohmann::json events = trace_of(false);
  std::map<uint64_t, std::vector<std::string>> requests;  // "b:queue"
  std::map<uint64_t, double> last;
  std::set<std::string> kernels;
  for (const auto& event : events) {
    if (event["ph"] == "X" && event["name"] == "qkv")
      kernels.insert(event["args"]["kernel"].get<std::string>());
    if (event["ph"] != "b" && event["ph"] != "e") continue;
    const uint64_t id = event["id"];
    EXPECT_GE(event["ts"].get<double>(), last[id]);
    last[id] = event["ts"];
    requests[id].push_back(
        fmt::format("{}:{}", event["ph"].get<std::string>(), event["name"].get<std::string>()));
  }
  EXPECT_EQ(requests.size(), size_t{kRequests});
  const std::vector<std::string> life = {"b:request", "b:queue",  "e:queue",  "b:prefill",
                                         "e:prefill", "b:decode", "e:decode", "e:request"};
  for (const auto& [id, phases] : requests)
    EXPECT_EQ(phases, life) << id;
  EXPECT_EQ(
      std::ranges::count_if(kernels, [](const std::string& name) { return name.starts_with("gemm_s8/"); }),
      1);
}

}  // namespace
}  // namespace tessera::engine
