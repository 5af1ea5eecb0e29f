// LayerRunner: one decoder layer at a time over many sequences, for calibration: hidden states stay, layers
// come and go, so that a model larger than memory can be worked on. Keys, values and float weights are
// float32. One caller at a time.
//
//   LayerRunner runner(config, pool);
//   Matrix hidden = TRY(runner.embed(source, ids));                  // [tokens, hidden]
//   for (int32_t i = 0; i < config.layers; ++i) {
//     LayerWeights layer;
//     TRY_STATUS(runner.load(source, reader, i, layer));
//     TRY_STATUS(runner.forward(i, layer, hidden, tokens_per_sequence));
//   }
#pragma once

#include <memory>
#include <span>

#include "models/blocks/attention_block.h"
#include "models/blocks/mlp_block.h"
#include "models/blocks/moe_block.h"
#include "models/decoder_weights.h"

namespace tessera::models {

/// What is behind the last layer.
struct OutputHead {
  NormWeights norm;
  ops::Linear head;  // [vocab, hidden]
};

class LayerRunner {
 public:
  /// `pool` outlives this.
  LayerRunner(ModelConfig config, ThreadPool& pool);

  /// Embeddings of `ids` into hidden [ids, hidden]. kInvalidArgument naming an id outside the vocabulary.
  Status embed(const formats::TensorSource& source, std::span<const int32_t> ids, MatrixView<float> hidden);

  /// Reads layer `index`; float weights become float32. Its linears, by name, in `layer`.
  Result<std::vector<Parameters::NamedLinear>> load(const formats::TensorSource& source,
                                                    const formats::WeightReader& reader, int32_t index,
                                                    LayerWeights& layer);

  /// hidden [sequences * length, hidden] <- the layer's output; the last sequence may be shorter.
  Status forward(int32_t index, const LayerWeights& layer, MatrixView<float> hidden, int32_t length);

  /// Its two halves: hidden += attention(norm(hidden)), and hidden += mlp(norm(hidden)).
  Status attend(int32_t index, const LayerWeights& layer, MatrixView<float> hidden, int32_t length);
  void feed(const LayerWeights& layer, MatrixView<float> hidden);

  /// Reads the final norm and the head, which may be the embedding, in float32.
  Result<OutputHead> load_head(const formats::TensorSource& source, const formats::WeightReader& reader);
  /// logits [rows, vocab] of the last layer's output [rows, hidden].
  void run_head(const OutputHead& head, MatrixView<const float> hidden, MatrixView<float> logits);

 private:
  void attend_sequences(const LayerWeights& layer, MatrixView<float> hidden, int32_t length,
                        cache::KvCache& cache);

  ModelConfig config_;
  ThreadPool& pool_;
  RopeTable rope_;
  Workspace normed_, delta_;
  AttentionBlock attention_;
  MlpBlock mlp_;
  MoeBlock moe_;
  ops::LinearInput head_input_;
};

}  // namespace tessera::models
