// The Model of every Llama-shaped decoder: what differs between architectures is in ModelConfig.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/log.h"
#include "base/process_memory.h"
#include "base/timeline.h"
#include "formats/hf/model_dir.h"
#include "models/architecture.h"
#include "models/blocks/attention_block.h"
#include "models/blocks/mlp_block.h"
#include "models/blocks/moe_block.h"
#include "models/blocks/norm_rows.h"
#include "models/decoder_weights.h"
#include "models/loader/dummy_checkpoint.h"
#include "models/loader/load_choices.h"
#include "models/loader/packed_model.h"
#include "models/loader/quantize_at_load.h"
#include "models/model.h"
#include "ops/kernel_note.h"

namespace tessera::models {
namespace {

class DecoderModel final : public Model {
 public:
  DecoderModel(ModelConfig config, const ops::PackOptions& packing, kernels::CacheType cache_type,
               int threads)
      : config_(std::move(config)),
        packing_(packing),
        cache_type_(cache_type),
        pool_(threads),
        rope_(config_.rope, config_.head_dim, 0) {}

  Status load(const formats::TensorSource& source, std::unique_ptr<formats::WeightReader> reader,
              std::string_view quantization);
  Status load_dummy(const DummyScheme& scheme);
  /// Weights stay in the file's map.
  Status map(std::unique_ptr<const formats::PackedFile> file);

  const ModelConfig& config() const override { return config_; }
  const LoadReport& report() const override { return report_; }
  ThreadPool& workers() override { return pool_; }
  /// What `--kv-cache-dtype auto` is: int8 where the checkpoint brings all layers' scales for it.
  void choose_cache_type();
  size_t page_bytes(int32_t page_size) const override { return cache_shape(page_size, 1).page_bytes(); }
  Result<cache::KvCache> make_cache(int32_t page_size, int32_t page_count) const override {
    return cache::KvCache::allocate(cache_shape(page_size, page_count));
  }
  Status forward(std::span<const Chunk> chunks, cache::KvCache& cache, MatrixView<float> logits,
                 MatrixView<float> hidden) override;

 private:
  Status read_parameters(Parameters& parameters, const formats::TensorSource& source,
                         const formats::WeightReader& reader);
  void finish_report(std::string_view format);
  cache::KvCacheShape cache_shape(int32_t page_size, int32_t pages) const;
  Status gather_rows(std::span<const Chunk> chunks, const cache::KvCache& cache);
  int64_t keep_wanted_rows(std::span<const Chunk> chunks, MatrixView<float> hidden,
                           MatrixView<float> delta) const;
  MatrixView<float> run_layers(const Step& step, std::span<const Chunk> chunks, MatrixView<float> hidden);
  void run_head(MatrixView<const float> rows, MatrixView<float> logits);

  ModelConfig config_;
  ops::PackOptions packing_;
  kernels::CacheType cache_type_;
  ThreadPool pool_;
  RopeTable rope_;
  std::unique_ptr<const formats::PackedFile> file_;  // that weights_ point into, or null
  DecoderWeights weights_;
  LoadReport report_;

  // Of the step under way.
  std::vector<int32_t> ids_, positions_;
  std::vector<RowSpan> spans_;
  Workspace hidden_, normed_, delta_;
  AttentionBlock attention_;
  MlpBlock mlp_;
  MoeBlock moe_;
  ops::LinearInput head_input_;
};

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

int64_t planned_peak_bytes(int64_t packed_bytes, const formats::TensorSource& source) {
  uint64_t largest = 0;
  for (const formats::TensorInfo& info : source.tensors())
    largest = std::max(largest, info.bytes);
  return packed_bytes + static_cast<int64_t>(largest) + kLoadMarginBytes;
}

std::string describe_schemes(const LoadReport& report) {
  std::string text;
  for (const auto& [name, use] : report.schemes)
    text += (text.empty() ? "" : "+") + name;
  return text;
}

Status DecoderModel::load(const formats::TensorSource& source, std::unique_ptr<formats::WeightReader> reader,
                          std::string_view quantization) {
  Parameters parameters = declare(config_, weights_);
  reader = TRY(apply_quantization(quantization, std::move(reader), parameters.linears()));
  return read_parameters(parameters, source, *reader);
}

Status DecoderModel::load_dummy(const DummyScheme& scheme) {
  Parameters parameters = declare(config_, weights_);
  const DummySource source(parameters.float_tensors());
  return read_parameters(parameters, source, DummyReader(source, scheme));
}

Status DecoderModel::map(std::unique_ptr<const formats::PackedFile> file) {
  const auto begin = std::chrono::steady_clock::now();
  file_ = std::move(file);
  Parameters parameters = declare(config_, weights_);
  TRY_STATUS(parameters.restore(file_->contents(), packing_, report_).context(file_->map().path().string()));
  file_->map().populate(pool_);
  report_.planned_peak_bytes = static_cast<int64_t>(file_->map().bytes().size()) + kLoadMarginBytes;
  finish_report(file_->contents().format);
  report_.seconds = seconds_since(begin);
  return {};
}

Status DecoderModel::read_parameters(Parameters& parameters, const formats::TensorSource& source,
                                     const formats::WeightReader& reader) {
  const auto begin = std::chrono::steady_clock::now();
  report_.planned_peak_bytes = planned_peak_bytes(parameters.planned_bytes(source, reader, packing_), source);
  TRY_STATUS(parameters.load(source, reader, packing_, pool_, report_));
  finish_report(reader.format_name());
  report_.seconds = seconds_since(begin);
  return {};
}

void DecoderModel::finish_report(std::string_view format) {
  if (config_.tied_embeddings) weights_.embedding = ops::Embedding::tied(weights_.head);
  report_.architecture = config_.architecture;
  report_.format = format;
  report_.scheme = describe_schemes(report_);
  report_.bytes_per_token = bytes_per_token(config_, weights_);
  report_.bytes_per_expert = bytes_per_expert(weights_);
  report_.peak_bytes = static_cast<int64_t>(peak_resident_bytes());
  report_.threads = pool_.size();
}

void DecoderModel::choose_cache_type() {
  const auto layers = std::ranges::count_if(
      weights_.layers, [](const LayerWeights& layer) { return layer.attention.extras.int8_cache; });
  if (layers < std::ssize(weights_.layers)) {
    if (layers > 0) {
      LOG_WARN(
          "KV cache: bf16, since the checkpoint means int8 for {} of {} layers only; --kv-cache-dtype int8 "
          "is int8 for all",
          layers, weights_.layers.size());
    }
    return;
  }
  cache_type_ = kernels::CacheType::kInt8;
  const bool fixed = !weights_.layers.front().attention.extras.keys.scales.empty();
  LOG_INFO("KV cache: int8, as the checkpoint says, with {}",
           fixed ? "its own scales" : "a scale per token and head");
}

cache::KvCacheShape DecoderModel::cache_shape(int32_t page_size, int32_t pages) const {
  return {.layers = config_.layers,
          .pages = pages,
          .page_size = page_size,
          .kv_heads = config_.kv_heads,
          .head_dim = config_.head_dim,
          .type = cache_type_};
}

Status DecoderModel::gather_rows(std::span<const Chunk> chunks, const cache::KvCache& cache) {
  ids_.clear();
  positions_.clear();
  spans_.clear();
  for (const Chunk& chunk : chunks) {
    const auto rows = static_cast<int32_t>(chunk.ids.size());
    const int32_t end = chunk.start + rows;
    if (end > config_.max_position) {
      return invalid_argument("position {}, expected below max_position_embeddings={}", end - 1,
                              config_.max_position);
    }
    rope_.cover(end);
    CHECK(static_cast<int64_t>(chunk.pages.size()) * cache.shape().page_size >= end, "{} pages for {} tokens",
          chunk.pages.size(), end);
    spans_.push_back({.first = static_cast<int64_t>(ids_.size()),
                      .rows = rows,
                      .start = chunk.start,
                      .pages = chunk.pages});
    for (int32_t i = 0; i < rows; ++i) {
      const int32_t id = chunk.ids[static_cast<size_t>(i)];
      if (id < 0 || id >= config_.vocab) {
        return invalid_argument("token id {}, expected 0 to {}", id, config_.vocab - 1);
      }
      ids_.push_back(id);
      positions_.push_back(chunk.start + i);
    }
  }
  return {};
}

/// Of its last tokens, of which logits or hidden states are asked for.
int64_t wanted_rows(const Chunk& chunk) {
  return std::max(chunk.logit_rows(), chunk.hidden_rows());
}

/// Moves the rows that are asked for to the front of both; how many they are.
int64_t DecoderModel::keep_wanted_rows(std::span<const Chunk> chunks, MatrixView<float> hidden,
                                       MatrixView<float> delta) const {
  const size_t bytes = static_cast<size_t>(config_.hidden) * sizeof(float);
  int64_t kept = 0;
  for (size_t i = 0; i < chunks.size(); ++i) {
    const int64_t end = spans_[i].first + spans_[i].rows;
    for (int64_t row = end - wanted_rows(chunks[i]); row < end; ++row, ++kept) {
      if (row == kept) continue;
      std::memcpy(hidden.row(kept), hidden.row(row), bytes);
      std::memcpy(delta.row(kept), delta.row(row), bytes);
    }
  }
  return kept;
}

/// `hidden` comes in as embeddings; returns the final norm of the rows that are asked for. Behind the last
/// layer's attention nothing reads the others: of a prompt all but one, so that 512 tokens of Qwen3-0.6B save
/// 2 % of the multiplications, of 12 layers of Qwen3-30B-A3B 5 %.
MatrixView<float> DecoderModel::run_layers(const Step& step, std::span<const Chunk> chunks,
                                           MatrixView<float> hidden) {
  auto normed = normed_.matrix(step.rows(), config_.hidden);
  auto delta = delta_.matrix(step.rows(), config_.hidden);
  const float eps = config_.norm_eps;
  norm_rows(hidden, weights_.layers.front().attention_norm, eps, normed, pool_);
  for (size_t index = 0; index < weights_.layers.size(); ++index) {
    const Span span("layer", {"index", static_cast<int64_t>(index)}, {"rows", hidden.rows});
    const LayerWeights& layer = weights_.layers[index];
    const bool last = index + 1 == weights_.layers.size();
    attention_.forward(step, static_cast<int32_t>(index), layer.attention, normed, delta);
    if (last) {
      const int64_t kept = keep_wanted_rows(chunks, hidden, delta);
      hidden = hidden.row_range(0, kept);
      normed = normed.row_range(0, kept);
      delta = delta.row_range(0, kept);
      if (kept == 0) break;
    }
    add_norm_rows(hidden, delta, layer.mlp_norm, eps, normed, pool_);
    if (layer.moe.experts.empty()) {
      mlp_.forward(layer.mlp, normed, delta, pool_);
    } else {
      moe_.forward(*config_.moe, layer.moe, normed, delta, pool_);
    }
    add_norm_rows(hidden, delta, last ? weights_.final_norm : weights_.layers[index + 1].attention_norm, eps,
                  normed, pool_);
  }
  return normed;
}

/// Copies the rows of `states` whose hidden states are asked for, and moves those whose logits are to the
/// front, which it returns.
MatrixView<const float> hand_out(std::span<const Chunk> chunks, MatrixView<float> states,
                                 MatrixView<float> hidden) {
  const size_t bytes = static_cast<size_t>(states.cols) * sizeof(float);
  int64_t end = 0, given = 0, kept = 0;
  for (const Chunk& chunk : chunks) {
    end += wanted_rows(chunk);
    for (int64_t row = end - chunk.hidden_rows(); row < end; ++row)
      std::memcpy(hidden.row(given++), states.row(row), bytes);
    for (int64_t row = end - chunk.logit_rows(); row < end; ++row, ++kept) {
      if (row != kept) std::memcpy(states.row(kept), states.row(row), bytes);
    }
  }
  CHECK(given == hidden.rows, "{} hidden states, room for {}", given, hidden.rows);
  return states.row_range(0, kept);
}

void DecoderModel::run_head(MatrixView<const float> rows, MatrixView<float> logits) {
  CHECK(rows.rows == logits.rows, "{} rows want logits, room for {}", rows.rows, logits.rows);
  if (rows.rows == 0) return;
  const Span span("head", {"rows", rows.rows}, ops::kernel_note(weights_.head));
  head_input_.reset(rows);
  const std::array<ops::LinearCall, 1> head{{{&weights_.head, logits}}};
  ops::run_linears(head_input_, head, pool_);
}

Status DecoderModel::forward(std::span<const Chunk> chunks, cache::KvCache& cache, MatrixView<float> logits,
                             MatrixView<float> hidden) {
  TRY_STATUS(gather_rows(chunks, cache));
  if (ids_.empty()) return {};
  const auto rows = static_cast<int64_t>(ids_.size());
  const auto states = hidden_.matrix(rows, config_.hidden);
  weights_.embedding.lookup(ids_, states);
  const Step step{.config = config_,
                  .rope = rope_,
                  .cache = cache,
                  .pool = pool_,
                  .spans = spans_,
                  .positions = positions_};
  run_head(hand_out(chunks, run_layers(step, chunks, states), hidden), logits);
  return {};
}

Result<kernels::CacheType> parse_cache_type(const std::string& dtype, ops::FloatKind kind) {
  using kernels::CacheType;
  if (dtype == "auto") return kind == ops::FloatKind::kF32 ? CacheType::kF32 : CacheType::kBf16;
  if (dtype == "bf16" || dtype == "bfloat16") return CacheType::kBf16;
  if (dtype == "int8") return CacheType::kInt8;
  return unsupported("--kv-cache-dtype {}: expected auto, bf16 or int8", dtype);
}

int thread_count(int wanted) {
  return wanted > 0 ? wanted : default_thread_count();
}

/// The choices are the file's: open_packed_model() has seen to it that they are the options' too.
Result<std::unique_ptr<Model>> map_model(const LoadOptions& options,
                                         std::unique_ptr<const formats::PackedFile> file) {
  const auto& choices = file->contents().options;
  const ops::PackOptions packing = TRY(parse_packing(choices.at("dtype"), choices.at("weight-layout")));
  const kernels::CacheType cache_type = TRY(parse_cache_type(options.kv_cache_dtype, packing.kind));
  const formats::ModelDir directory = TRY(formats::parse_model_dir(file->model_files()));
  ModelConfig config = TRY(parse_model_config(directory.config));
  auto model =
      std::make_unique<DecoderModel>(std::move(config), packing, cache_type, thread_count(options.threads));
  TRY_STATUS(model->map(std::move(file)));
  if (options.kv_cache_dtype == "auto") model->choose_cache_type();
  return std::unique_ptr<Model>(std::move(model));
}

}  // namespace

Result<std::unique_ptr<Model>> Model::load(const LoadOptions& options) {
  auto file = TRY(open_packed_model(options));
  if (file != nullptr) return map_model(options, std::move(file));
  const ops::PackOptions packing = TRY(parse_packing(options.dtype, options.weight_layout));
  const kernels::CacheType cache_type = TRY(parse_cache_type(options.kv_cache_dtype, packing.kind));
  const formats::ModelDir directory = TRY(formats::open_model_dir(options.model_path));
  if (options.load_format == LoadFormat::kDummy) {
    return dummy(directory.config, {.scheme = options.quantization,
                                    .dtype = options.dtype,
                                    .weight_layout = options.weight_layout,
                                    .kv_cache_dtype = options.kv_cache_dtype,
                                    .threads = options.threads});
  }
  ModelConfig config = TRY(parse_model_config(directory.config));
  const auto source = TRY(formats::open_safetensors_dir(options.model_path));
  auto reader = TRY(formats::open_weight_reader(directory.config, options.model_path, *source));
  auto model =
      std::make_unique<DecoderModel>(std::move(config), packing, cache_type, thread_count(options.threads));
  TRY_STATUS(model->load(*source, std::move(reader), options.quantization));
  if (options.kv_cache_dtype == "auto") model->choose_cache_type();
  return std::unique_ptr<Model>(std::move(model));
}

Result<std::unique_ptr<Model>> Model::dummy(const nlohmann::json& config, const DummyOptions& options) {
  const ops::PackOptions packing = TRY(parse_packing(options.dtype, options.weight_layout));
  const kernels::CacheType cache_type = TRY(parse_cache_type(options.kv_cache_dtype, packing.kind));
  const std::string_view scheme_name = options.scheme.empty() ? "bf16" : std::string_view(options.scheme);
  const DummyScheme scheme = TRY(parse_dummy_scheme(scheme_name, options.head));
  ModelConfig parsed = TRY(parse_model_config(config));
  if (!scheme.head.is_float()) parsed.tied_embeddings = false;  // as `quantize --lm-head` does
  auto model =
      std::make_unique<DecoderModel>(std::move(parsed), packing, cache_type, thread_count(options.threads));
  TRY_STATUS(model->load_dummy(scheme));
  return std::unique_ptr<Model>(std::move(model));
}

}  // namespace tessera::models
