#include "server/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <mutex>

namespace tessera::server {
namespace {

using Buckets = prometheus::Histogram::BucketBoundaries;

// SGLang's, so that its dashboards fit.
const Buckets kFirstTokenSeconds = {0.1, 0.2, 0.4, 0.6, 0.8, 1,  2,   4,   6,
                                    8,   10,  20,  40,  60,  80, 100, 200, 400};
const Buckets kGapSeconds = {0.002, 0.004, 0.006, 0.008, 0.010, 0.015, 0.020, 0.025,
                             0.030, 0.035, 0.040, 0.060, 0.080, 0.100, 0.200, 0.400,
                             0.600, 0.800, 1.000, 2.000, 4.000, 6.000, 8.000};
const Buckets kRequestSeconds = {0.1, 0.2, 0.4, 0.6, 0.8, 1,   2,   4,   6,    8,    10,
                                 20,  40,  60,  80,  100, 200, 400, 600, 1200, 1800, 2400};

/// A counter knows no "set": it grows by what is missing.
void raise(prometheus::Counter& counter, double value) {
  if (value > counter.Value()) counter.Increment(value - counter.Value());
}

}  // namespace

struct Metrics::Impl {
  explicit Impl(const std::string& model_name) : labels{{"model_name", model_name}} {}

  prometheus::Gauge& gauge(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add(labels);
  }
  prometheus::Counter& counter(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add(labels);
  }
  prometheus::Histogram& histogram(const char* name, const char* help, const Buckets& buckets) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add(labels, buckets);
  }

  std::mutex render_mutex;
  prometheus::Registry registry;
  prometheus::Labels labels;

  // The engine's, as of the moment they are asked for.
  prometheus::Gauge& running = gauge("sglang:num_running_reqs", "Requests being answered");
  prometheus::Gauge& queued = gauge("sglang:num_queue_reqs", "Requests waiting");
  prometheus::Gauge& queued_tokens = gauge("tessera:queued_prompt_tokens", "Tokens of the waiting prompts");
  prometheus::Gauge& used_tokens = gauge("sglang:num_used_tokens", "Tokens of the KV cache in use");
  prometheus::Gauge& kept_tokens =
      gauge("tessera:num_kept_tokens", "Tokens of the KV cache kept for requests that begin alike");
  prometheus::Gauge& total_tokens = gauge("sglang:max_total_num_tokens", "Tokens that the KV cache holds");
  prometheus::Gauge& token_usage = gauge("sglang:token_usage", "Share of the KV cache in use");
  prometheus::Gauge& hit_rate =
      gauge("sglang:cache_hit_rate", "Share of all prompt tokens that was found in the cache");
  prometheus::Gauge& generated_per_s =
      gauge("sglang:gen_throughput", "Tokens generated per second of the last busy second");
  prometheus::Gauge& prefilled_per_s =
      gauge("tessera:prefill_throughput", "Prompt tokens per second of the last busy second");
  prometheus::Counter& steps = counter("tessera:steps_total", "Steps of the engine");
  prometheus::Counter& step_seconds = counter("tessera:step_seconds_total", "Time that the steps took");
  prometheus::Counter& prompt_tokens =
      counter("sglang:prompt_tokens_total", "Prompt tokens of admitted requests");
  prometheus::Counter& cached_tokens =
      counter("sglang:cached_tokens_total", "Of those, tokens that were found in the cache");
  prometheus::Counter& generation_tokens = counter("sglang:generation_tokens_total", "Tokens generated");
  prometheus::Counter& retractions =
      counter("sglang:num_retractions_total", "Times that a request was interrupted for want of cache");
  prometheus::Counter& queue_timeouts =
      counter("tessera:queue_timeouts_total", "Requests that waited too long for their first step");
  prometheus::Gauge& accept_length =
      gauge("sglang:spec_accept_length", "Tokens per step of a request with guesses");

  prometheus::Counter& requests = counter("sglang:num_requests_total", "Finished requests");
  prometheus::Counter& aborted =
      counter("sglang:num_aborted_requests_total", "Requests that were cancelled or failed");
  prometheus::Histogram& first_token = histogram("sglang:time_to_first_token_seconds",
                                                 "From the request to its first token", kFirstTokenSeconds);
  prometheus::Histogram& gap =
      histogram("sglang:inter_token_latency_seconds", "Between two tokens of an answer", kGapSeconds);
  prometheus::Histogram& whole =
      histogram("sglang:e2e_request_latency_seconds", "From the request to its last token", kRequestSeconds);

  prometheus::Family<prometheus::Counter>& answers = prometheus::BuildCounter()
                                                         .Name("tessera:http_responses_total")
                                                         .Help("HTTP answers by status")
                                                         .Register(registry);
};

Metrics::Metrics(const std::string& model_name) : impl_(std::make_unique<Impl>(model_name)) {}
Metrics::~Metrics() = default;

void Metrics::first_token(double seconds) {
  impl_->first_token.Observe(seconds);
}

void Metrics::next_tokens(int32_t tokens, double seconds) {
  for (int32_t token = 0; token < tokens; ++token)
    impl_->gap.Observe(seconds / tokens);
}

void Metrics::finished(const engine::Output& last, double seconds) {
  impl_->requests.Increment();
  if (last.finish && last.finish->kind == engine::FinishReason::Kind::kAbort) impl_->aborted.Increment();
  impl_->whole.Observe(seconds);
}

void Metrics::answered(int status) {
  prometheus::Labels labels = impl_->labels;
  labels["code"] = std::to_string(status);
  impl_->answers.Add(labels).Increment();
}

std::string Metrics::render(const engine::EngineStats& stats) {
  Impl& m = *impl_;
  const std::lock_guard lock(m.render_mutex);
  const auto total = static_cast<double>(stats.total_tokens);
  const auto used = static_cast<double>(stats.used_tokens);
  m.running.Set(stats.running);
  m.queued.Set(stats.queued);
  m.queued_tokens.Set(static_cast<double>(stats.queued_tokens));
  m.used_tokens.Set(used);
  m.kept_tokens.Set(static_cast<double>(stats.kept_tokens));
  m.total_tokens.Set(total);
  m.token_usage.Set(total > 0 ? used / total : 0);
  m.hit_rate.Set(stats.cache_hit_rate());
  m.accept_length.Set(stats.accept_length());
  m.generated_per_s.Set(stats.running > 0 ? stats.last_decode_tokens_per_s : 0);
  m.prefilled_per_s.Set(stats.running > 0 ? stats.last_prefill_tokens_per_s : 0);
  raise(m.steps, static_cast<double>(stats.steps));
  raise(m.step_seconds, stats.step_seconds);
  raise(m.prompt_tokens, static_cast<double>(stats.prompt_tokens));
  raise(m.cached_tokens, static_cast<double>(stats.cached_tokens));
  raise(m.generation_tokens, static_cast<double>(stats.generated_tokens));
  raise(m.retractions, static_cast<double>(stats.retractions));
  raise(m.queue_timeouts, static_cast<double>(stats.queue_timeouts));
  return prometheus::TextSerializer().Serialize(m.registry.Collect());
}

}  // namespace tessera::server
