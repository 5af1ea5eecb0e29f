"""The tiny models: config.json as the hub writes it, and random weights under the names that hub checkpoints use.

Sizes are odd on purpose: head counts 5/1 and 6/3, head_dim != hidden/heads, widths that are no multiple of 16, a
vocabulary larger than the tokenizer's. Gains are set so that attention is neither uniform nor one-hot and logits have a
standard deviation of 2-4: an engine that ignores any one tensor, bias, norm or rope detail gives other logits.
"""

import math

import torch

from tiny_tokenizer import BOS_ID, IM_END_ID, VOCAB_SIZE

COMMON = {
    "bos_token_id": BOS_ID, "eos_token_id": IM_END_ID, "hidden_act": "silu", "initializer_range": 0.02,
    "max_position_embeddings": 256, "rms_norm_eps": 1e-6, "torch_dtype": "bfloat16", "use_cache": True,
    "attention_dropout": 0.0,
}
LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "attention_bias": False, "mlp_bias": False,
         "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "rope_scaling": None}
QWEN = {"rope_theta": 1000000.0, "sliding_window": None, "use_sliding_window": False, "rope_scaling": None}
QWEN3_MOE = QWEN | {
    "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "attention_bias": False, "num_experts": 8,
    "num_experts_per_tok": 2, "output_router_logits": False, "router_aux_loss_coef": 0.001, "head_dim": 16,
    "tie_word_embeddings": False, "hidden_size": 64, "vocab_size": VOCAB_SIZE,
}


def shape(vocab, hidden, intermediate, layers, heads, kv_heads, tied, **more):
    return {"vocab_size": vocab, "hidden_size": hidden, "intermediate_size": intermediate, "num_hidden_layers": layers,
            "num_attention_heads": heads, "num_key_value_heads": kv_heads, "tie_word_embeddings": tied, **more}


SPECS = {
    "llama": COMMON | LLAMA | shape(VOCAB_SIZE, 64, 172, 3, 4, 2, True),
    # Wavelengths of head_dim 16: 6.3 stays, 20 and 63 are blended, the rest is stretched by 4.
    "llama-rope3": COMMON | LLAMA | shape(VOCAB_SIZE, 96, 160, 2, 6, 2, False) | {
        "rope_scaling": {"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                         "original_max_position_embeddings": 64}},
    "llama-sharded": COMMON | LLAMA | shape(VOCAB_SIZE, 64, 128, 2, 4, 4, False, head_dim=24),
    "qwen2": COMMON | QWEN | shape(VOCAB_SIZE + 3, 64, 144, 3, 4, 1, True) | {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "max_window_layers": 3},
    "qwen3": COMMON | QWEN | shape(VOCAB_SIZE + 3, 96, 128, 2, 6, 3, True, head_dim=32) | {
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "attention_bias": False, "max_window_layers": 2},
    # (layer + 1) % 2 == 0 makes layers 1 and 3 sparse; mlp_only_layers takes 1 out again.
    "qwen3-moe": COMMON | QWEN3_MOE | {
        "intermediate_size": 112, "moe_intermediate_size": 40, "num_hidden_layers": 4, "num_attention_heads": 5,
        "num_key_value_heads": 1, "norm_topk_prob": True, "decoder_sparse_step": 2, "mlp_only_layers": [1]},
    "qwen3-moe-nonorm": COMMON | QWEN3_MOE | {
        "intermediate_size": 112, "moe_intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 6,
        "num_key_value_heads": 3, "norm_topk_prob": False, "decoder_sparse_step": 1, "mlp_only_layers": []},
    # Layers 1 and 2 see 20 positions.
    "qwen2-window": COMMON | QWEN | shape(VOCAB_SIZE, 64, 96, 3, 4, 2, True) | {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "max_window_layers": 1, "sliding_window": 20,
        "use_sliding_window": True},
}


def is_sparse(config: dict, layer: int) -> bool:
    if config.get("num_experts", 0) == 0 or layer in config["mlp_only_layers"]:
        return False
    return (layer + 1) % config["decoder_sparse_step"] == 0


def random_weights(config: dict, seed: int) -> dict[str, torch.Tensor]:
    """Checkpoint tensors in bfloat16; a fixed seed gives fixed bytes."""
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}

    def put(name, value):
        tensors[name] = value.to(torch.bfloat16).contiguous()

    def linear(name, n_out, n_in, gain=1.0):
        put(name + ".weight", torch.randn(n_out, n_in, generator=generator) * gain / math.sqrt(n_in))

    def bias(name, n, spread):
        put(name + ".bias", torch.randn(n, generator=generator) * spread)

    def norm(name, n):
        put(name + ".weight", 0.5 + torch.rand(n, generator=generator))

    def mlp(prefix, width):
        linear(prefix + ".gate_proj", width, hidden, 1.0)
        linear(prefix + ".up_proj", width, hidden, 1.0)
        linear(prefix + ".down_proj", hidden, width, 1.0)

    hidden, heads, kv_heads = config["hidden_size"], config["num_attention_heads"], config["num_key_value_heads"]
    head_dim = config.get("head_dim", hidden // heads)
    tied = config["tie_word_embeddings"]
    logit_std = 2.4
    put("model.embed_tokens.weight",
        torch.randn(config["vocab_size"], hidden, generator=generator) * (logit_std / math.sqrt(hidden) if tied else 1.0))
    for layer in range(config["num_hidden_layers"]):
        base = f"model.layers.{layer}"
        norm(base + ".input_layernorm", hidden)
        linear(base + ".self_attn.q_proj", heads * head_dim, hidden, 1.0)
        linear(base + ".self_attn.k_proj", kv_heads * head_dim, hidden, 1.0)
        linear(base + ".self_attn.v_proj", kv_heads * head_dim, hidden, 1.5)
        linear(base + ".self_attn.o_proj", hidden, heads * head_dim)
        if config["model_type"] == "qwen2":
            for part, n in (("q", heads), ("k", kv_heads), ("v", kv_heads)):
                bias(f"{base}.self_attn.{part}_proj", n * head_dim, 0.1 if part == "v" else 0.5)
        if config["model_type"].startswith("qwen3"):
            norm(base + ".self_attn.q_norm", head_dim)
            norm(base + ".self_attn.k_norm", head_dim)
        norm(base + ".post_attention_layernorm", hidden)
        if is_sparse(config, layer):
            linear(base + ".mlp.gate", config["num_experts"], hidden, 2.0)
            for expert in range(config["num_experts"]):
                mlp(f"{base}.mlp.experts.{expert}", config["moe_intermediate_size"])
        else:
            mlp(base + ".mlp", config["intermediate_size"])
    norm("model.norm", hidden)
    if not tied:
        linear("lm_head", config["vocab_size"], hidden, logit_std)
    return tensors
