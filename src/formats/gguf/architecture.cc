#include "formats/gguf/architecture.h"

#include <string>

namespace tessera::formats::gguf {
namespace {

using enum Dim;

constexpr std::array<TensorRule, 3> kGlobal{
    {{"token_embd.weight", "model.embed_tokens.weight", {kVocab, kHidden}, 2},
     {"output_norm.weight", "model.norm.weight", {kHidden}, 1},
     {"output.weight", "lm_head.weight", {kVocab, kHidden}, 2}}};

constexpr TensorRule kInputNorm{"attn_norm.weight", "input_layernorm.weight", {kHidden}, 1};
constexpr TensorRule kQuery2d{"attn_q.weight", "self_attn.q_proj.weight", {kQuery, kHidden}, 2, true};
constexpr TensorRule kKey2d{"attn_k.weight", "self_attn.k_proj.weight", {kKeyValue, kHidden}, 2, true};
constexpr TensorRule kValue2d{"attn_v.weight", "self_attn.v_proj.weight", {kKeyValue, kHidden}, 2};
constexpr TensorRule kOutput2d{"attn_output.weight", "self_attn.o_proj.weight", {kHidden, kQuery}, 2};
constexpr TensorRule kMlpNorm{"ffn_norm.weight", "post_attention_layernorm.weight", {kHidden}, 1};
constexpr TensorRule kQueryBias{"attn_q.bias", "self_attn.q_proj.bias", {kQuery}, 1, true};
constexpr TensorRule kKeyBias{"attn_k.bias", "self_attn.k_proj.bias", {kKeyValue}, 1, true};
constexpr TensorRule kValueBias{"attn_v.bias", "self_attn.v_proj.bias", {kKeyValue}, 1};
constexpr TensorRule kOutputBias{"attn_output.bias", "self_attn.o_proj.bias", {kHidden}, 1};

constexpr std::array<TensorRule, 6> kAttention{kInputNorm, kQuery2d, kKey2d, kValue2d, kOutput2d, kMlpNorm};
constexpr std::array<TensorRule, 8> kNormedAttention{
    kInputNorm,
    kQuery2d,
    kKey2d,
    kValue2d,
    kOutput2d,
    kMlpNorm,
    {"attn_q_norm.weight", "self_attn.q_norm.weight", {kHead}, 1},
    {"attn_k_norm.weight", "self_attn.k_norm.weight", {kHead}, 1}};
constexpr std::array<TensorRule, 3> kDense{{{"ffn_gate.weight", "mlp.gate_proj.weight", {kFfn, kHidden}, 2},
                                            {"ffn_up.weight", "mlp.up_proj.weight", {kFfn, kHidden}, 2},
                                            {"ffn_down.weight", "mlp.down_proj.weight", {kHidden, kFfn}, 2}}};
constexpr std::array<TensorRule, 4> kExpertMlp{
    {{"ffn_gate_inp.weight", "mlp.gate.weight", {kExperts, kHidden}, 2},
     {"ffn_gate_exps.weight", "mlp.experts.{}.gate_proj.weight", {kExperts, kExpertFfn, kHidden}, 3},
     {"ffn_up_exps.weight", "mlp.experts.{}.up_proj.weight", {kExperts, kExpertFfn, kHidden}, 3},
     {"ffn_down_exps.weight", "mlp.experts.{}.down_proj.weight", {kExperts, kHidden, kExpertFfn}, 3}}};
constexpr std::array<TensorRule, 3> kQkvBias{kQueryBias, kKeyBias, kValueBias};
constexpr std::array<TensorRule, 4> kAttentionBias{kQueryBias, kKeyBias, kValueBias, kOutputBias};

constexpr std::array<Architecture, 4> kArchitectures{{{.gguf = "llama",
                                                       .model_type = "llama",
                                                       .hf_class = "LlamaForCausalLM",
                                                       .paired_rows = true,
                                                       .attention = kAttention,
                                                       .mlp = kDense,
                                                       .biases = kAttentionBias},
                                                      {.gguf = "qwen2",
                                                       .model_type = "qwen2",
                                                       .hf_class = "Qwen2ForCausalLM",
                                                       .attention = kAttention,
                                                       .mlp = kDense,
                                                       .biases = kQkvBias,
                                                       .biases_required = true},
                                                      {.gguf = "qwen3",
                                                       .model_type = "qwen3",
                                                       .hf_class = "Qwen3ForCausalLM",
                                                       .attention = kNormedAttention,
                                                       .mlp = kDense,
                                                       .biases = kAttentionBias},
                                                      {.gguf = "qwen3moe",
                                                       .model_type = "qwen3_moe",
                                                       .hf_class = "Qwen3MoeForCausalLM",
                                                       .moe = true,
                                                       .attention = kNormedAttention,
                                                       .mlp = kExpertMlp,
                                                       .biases = kAttentionBias}}};

}  // namespace

std::span<const TensorRule> global_rules() {
  return kGlobal;
}

Result<const Architecture*> find_architecture(std::string_view name) {
  std::string known;
  for (const Architecture& architecture : kArchitectures) {
    if (architecture.gguf == name) return &architecture;
    known.append(known.empty() ? "" : ", ").append(architecture.gguf);
  }
  return unsupported("general.architecture=\"{:.100}\", expected one of {}", name, known);
}

}  // namespace tessera::formats::gguf
