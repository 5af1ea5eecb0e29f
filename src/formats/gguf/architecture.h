// What the importer knows of each GGUF architecture: its Hugging Face class and which tensors a layer has,
// under which names and with which shapes. One table; nothing else in the importer asks which architecture it
// handles.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"

namespace tessera::formats::gguf {

/// The sizes that shapes are made of; index into Dims.
enum class Dim : uint8_t { kHidden, kQuery, kKeyValue, kHead, kFfn, kVocab, kExperts, kExpertFfn, kCount };
using Dims = std::array<int64_t, static_cast<size_t>(Dim::kCount)>;

struct TensorRule {
  std::string_view gguf;  // "attn_q.weight"; in a layer after "blk.N."
  std::string_view hf;    // "self_attn.q_proj.weight"; in a layer after "model.layers.N."; {} is the expert
  std::array<Dim, 3> shape{};
  int rank = 0;
  /// llama.cpp stores the rows of a head as pairs (i, i + head_dim/2), for its interleaved rotary embedding.
  bool paired_rows = false;

  bool per_expert() const { return rank == 3; }
};

struct Architecture {
  std::string_view gguf;        // general.architecture
  std::string_view model_type;  // config.json
  std::string_view hf_class;
  bool paired_rows = false;  // the rules' paired_rows apply
  bool moe = false;
  std::span<const TensorRule> attention, mlp;
  std::span<const TensorRule> biases;  // all of them, when the first layer has the first of them
  bool biases_required = false;
};

/// embed_tokens, norm, lm_head. The last is optional: absent means tied to the first.
std::span<const TensorRule> global_rules();

/// kUnsupported naming the architecture and the known ones.
Result<const Architecture*> find_architecture(std::string_view name);

}  // namespace tessera::formats::gguf
