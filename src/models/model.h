// Model: weights of one checkpoint, laid out for this machine, and its forward pass. Knows nothing of
// requests or sampling. One caller at a time (it owns a thread pool and workspaces).
//
//   auto model = TRY(Model::load(options));
//   KvCache cache = TRY(model->make_cache(pages));
//   TRY_STATUS(model->forward(chunks, cache, logits));
#pragma once

#include <cstdint>
#include <iterator>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "base/result.h"
#include "base/thread_pool.h"
#include "cache/kv_cache.h"
#include "models/load_report.h"
#include "models/model_config.h"
#include "tensor/matrix.h"

namespace tessera::models {

enum class LoadFormat : uint8_t { kAuto, kSafetensors, kDummy };

struct LoadOptions {
  std::string model_path;         // may be empty when `packed` is set
  std::string packed = {};        // a packed file to map instead of reading model_path
  std::string packed_cache = {};  // a directory of packed files, made of model_path where they are missing
  LoadFormat load_format = LoadFormat::kAuto;  // kDummy: weights of DummyOptions; only config.json is read
  std::string dtype = "auto";      // auto | bfloat16 | float32: how float weights and the cache are kept
  std::string weight_layout = {};  // nz | nd: tiles as kernels walk them, or rows; empty: nz
  std::string quantization = {};   // empty: what the checkpoint says; else models/loader/quantize_at_load.h
  std::string kv_cache_dtype = "auto";  // auto: as dtype | bf16 | int8: a scale per token and head
  int threads = 0;                      // 0: all physical cores this process may use
};

/// A model whose weights nobody trained, for measurements (models/loader/dummy_checkpoint.h).
struct DummyOptions {
  std::string scheme;         // "bf16" (as empty), "w4a8", "w4a4-g128", "w4a4-w8a8" ...
  std::string head = "none";  // of lm_head, untied if need be: such a name, or none: bf16
  std::string dtype = "auto";
  std::string weight_layout = "nz";
  std::string kv_cache_dtype = "auto";
  int threads = 0;
};

/// New tokens of one sequence. Tokens take positions start .. start + ids.size() - 1.
struct Chunk {
  enum class Logits : uint8_t { kNone, kLast, kAll };
  enum class Hidden : uint8_t { kNone, kLast, kAll };
  std::span<const int32_t> ids;    // [tokens] >= 1
  int32_t start = 0;               // tokens already in the cache
  std::span<const int32_t> pages;  // page of position p is pages[p / page_size]
  Logits logits = Logits::kNone;   // of which tokens
  Hidden hidden = Hidden::kNone;   // of which tokens the hidden states

  /// Rows that it asks for: those of its last tokens.
  int64_t logit_rows() const { return logits == Logits::kAll ? std::ssize(ids) : logits == Logits::kLast; }
  int64_t hidden_rows() const { return hidden == Hidden::kAll ? std::ssize(ids) : hidden == Hidden::kLast; }
};

class Model {
 public:
  virtual ~Model() = default;

  /// Reads, checks and packs a model directory. Every misfit between config and tensors is in one error.
  static Result<std::unique_ptr<Model>> load(const LoadOptions& options);

  /// `config`: a config.json. No file is read.
  static Result<std::unique_ptr<Model>> dummy(const nlohmann::json& config, const DummyOptions& options);

  virtual const ModelConfig& config() const = 0;
  virtual const LoadReport& report() const = 0;

  /// The workers that forward() runs on, for what its caller does between two passes.
  virtual ThreadPool& workers() = 0;

  /// Bytes of KV cache per page of `page_size` tokens.
  virtual size_t page_bytes(int32_t page_size) const = 0;
  virtual Result<cache::KvCache> make_cache(int32_t page_size, int32_t page_count) const = 0;

  /// One pass over all chunks: writes their keys and values into their pages, the logits asked for into
  /// `logits`, F32 [rows asked for, vocab], and the hidden states, behind the final norm, into `hidden`, F32
  /// [rows asked for, hidden], both in chunk order. kInvalidArgument naming an id outside the vocabulary. A
  /// row depends only on its own sequence.
  virtual Status forward(std::span<const Chunk> chunks, cache::KvCache& cache, MatrixView<float> logits,
                         MatrixView<float> hidden) = 0;
  Status forward(std::span<const Chunk> chunks, cache::KvCache& cache, MatrixView<float> logits) {
    return forward(chunks, cache, logits, {});
  }
};

}  // namespace tessera::models
