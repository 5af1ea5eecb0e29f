#!/usr/bin/env python3
"""Writes tests/golden/gguf: small GGUF files made by the Python package gguf, and what is in them.

types.gguf, types.safetensors: random blocks of every tensor type that we import, and the package's own dequantization.
ARCHITECTURE.gguf, .safetensors, .json: tiny random models as llama.cpp's converter writes them, their tensors under Hugging
Face names (float32, after quantization), and the fields of config.json that must come out.
"""
import json
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf import GGUFWriter, quants
from gguf.constants import GGML_QUANT_SIZES
from safetensors.numpy import save_file

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "gguf"
# Byte offsets of the float16 scales in a block: random bits there could be infinite.
SCALES = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q2_K: [80, 82], T.Q3_K: [108],
          T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208]}


def make_types():
    rng = np.random.default_rng(1)
    writer = GGUFWriter(OUT / "types.gguf", "test")
    expected = {}
    for kind, offsets in SCALES.items():
        elements, size = GGML_QUANT_SIZES[kind]
        rows, cols = 2, 512
        blocks = rng.integers(0, 256, (rows * cols // elements, size), dtype=np.uint8)
        for offset in offsets:
            scales = rng.standard_normal((len(blocks), 1)).astype(np.float16)
            scales[0] = np.float16(6e-8)  # the smallest subnormal
            blocks[:, offset:offset + 2] = scales.view(np.uint8)
        data = blocks.reshape(rows, -1)
        writer.add_tensor(kind.name, data, raw_dtype=kind)
        expected[kind.name] = quants.dequantize(data, kind)
    # Finite float16 and bfloat16 of every exponent.
    bits = np.arange(0, 65536, 7, dtype=np.uint16)
    half = bits[np.isfinite(bits.view(np.float16))].view(np.float16)[None, :]
    writer.add_tensor("F16", half)
    expected["F16"] = half.astype(np.float32)
    wide = (bits.astype(np.uint32) << 16).view(np.float32)
    wide = wide[np.isfinite(wide)][None, :]
    brain = (wide.view(np.uint32) >> 16).astype(np.uint16)
    writer.add_tensor("BF16", brain.view(np.uint8), raw_dtype=T.BF16)
    expected["BF16"] = wide
    single = rng.standard_normal((3, 5)).astype(np.float32)
    writer.add_tensor("F32", single)
    expected["F32"] = single
    finish(writer)
    save_file(expected, OUT / "types.safetensors")


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Model:
    """A GGUF being written, with the Hugging Face tensors that must come back."""

    def __init__(self, name, hidden, heads, kv_heads, head_dim, ffn, layers, seed, pairs=False):
        self.name, self.rng, self.expected, self.pairs = name, np.random.default_rng(seed), {}, pairs
        self.hidden, self.heads, self.kv_heads, self.head_dim = hidden, heads, kv_heads, head_dim
        self.writer = GGUFWriter(OUT / f"{name}.gguf", name)
        w = self.writer
        w.add_block_count(layers)
        w.add_context_length(512)
        w.add_embedding_length(hidden)
        w.add_feed_forward_length(ffn)
        w.add_head_count(heads)
        w.add_head_count_kv(kv_heads)
        w.add_layer_norm_rms_eps(1e-6)
        w.add_rope_freq_base(10000.0)
        if head_dim * heads != hidden:
            w.add_key_length(head_dim)
            w.add_value_length(head_dim)
        self.config = {"hidden_size": hidden, "intermediate_size": ffn, "num_attention_heads": heads,
                       "num_key_value_heads": kv_heads, "head_dim": head_dim, "num_hidden_layers": layers,
                       "max_position_embeddings": 512, "rms_norm_eps": 1e-6, "rope_theta": 10000.0}

    def tensor(self, gguf, hf, shape, kind=T.F32, heads=0):
        """`heads` > 0: stored as llama.cpp's permute() leaves q_proj and k_proj; `hf` may hold {} for an expert."""
        values = self.rng.standard_normal(shape).astype(np.float32)
        stored = values
        if heads and self.pairs:
            stored = stored.reshape(heads, 2, shape[0] // heads // 2, *shape[1:]).swapaxes(1, 2).reshape(shape)
        data = stored if kind == T.F32 else quants.quantize(stored, kind)
        self.writer.add_tensor(gguf, data, raw_dtype=kind)
        back = stored if kind == T.F32 else quants.dequantize(data, kind)
        if heads and self.pairs:
            back = back.reshape(heads, shape[0] // heads // 2, 2, *shape[1:]).swapaxes(1, 2).reshape(shape)
        if "{}" in hf:
            for expert in range(shape[0]):
                self.expected[hf.format(expert)] = np.ascontiguousarray(back[expert])
        else:
            self.expected[hf] = np.ascontiguousarray(back)

    def attention(self, layer, kinds, bias=False, norms=False):
        gguf, hf = f"blk.{layer}.", f"model.layers.{layer}."
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        self.tensor(gguf + "attn_norm.weight", hf + "input_layernorm.weight", (self.hidden,))
        for part, rows, cols, heads in (("q", q, self.hidden, self.heads), ("k", kv, self.hidden, self.kv_heads),
                                        ("v", kv, self.hidden, 0), ("output", self.hidden, q, 0)):
            projection = hf + f"self_attn.{'o' if part == 'output' else part}_proj"
            self.tensor(gguf + f"attn_{part}.weight", projection + ".weight", (rows, cols), kinds[part], heads)
            if bias and part in bias:
                self.tensor(gguf + f"attn_{part}.bias", projection + ".bias", (rows,), T.F32, heads)
            if norms and part in "qk":
                self.tensor(gguf + f"attn_{part}_norm.weight", hf + f"self_attn.{part}_norm.weight", (self.head_dim,))
        self.tensor(gguf + "ffn_norm.weight", hf + "post_attention_layernorm.weight", (self.hidden,))

    def mlp(self, layer, ffn, kinds):
        gguf, hf = f"blk.{layer}.", f"model.layers.{layer}.mlp."
        self.tensor(gguf + "ffn_gate.weight", hf + "gate_proj.weight", (ffn, self.hidden), kinds["gate"])
        self.tensor(gguf + "ffn_up.weight", hf + "up_proj.weight", (ffn, self.hidden), kinds["up"])
        self.tensor(gguf + "ffn_down.weight", hf + "down_proj.weight", (self.hidden, ffn), kinds["down"])

    def experts(self, layer, count, width, kind):
        gguf, hf = f"blk.{layer}.", f"model.layers.{layer}.mlp."
        self.tensor(gguf + "ffn_gate_inp.weight", hf + "gate.weight", (count, self.hidden))
        self.tensor(gguf + "ffn_gate_exps.weight", hf + "experts.{}.gate_proj.weight", (count, width, self.hidden), kind)
        self.tensor(gguf + "ffn_up_exps.weight", hf + "experts.{}.up_proj.weight", (count, width, self.hidden), kind)
        self.tensor(gguf + "ffn_down_exps.weight", hf + "experts.{}.down_proj.weight", (count, self.hidden, width), kind)

    def top(self, vocab, tied, kind):
        self.tensor("token_embd.weight", "model.embed_tokens.weight", (vocab, self.hidden), kind)
        self.tensor("output_norm.weight", "model.norm.weight", (self.hidden,))
        if not tied:
            self.tensor("output.weight", "lm_head.weight", (vocab, self.hidden), T.Q8_0)
        self.config |= {"vocab_size": vocab, "tie_word_embeddings": tied}

    def tokenizer(self, pre, specials, unused=0):
        """Bytes, two merges and special tokens: enough for every kind of token."""
        printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
        others = [b for b in range(256) if b not in printable]
        tokens = [chr(b) for b in printable] + [chr(256 + i) for i in range(len(others))]
        tokens += ["he", "hel"]
        types = [1] * len(tokens)
        tokens += [text for text, _ in specials]
        types += [kind for _, kind in specials]
        for _ in range(unused):
            tokens.append(f"[PAD{len(tokens)}]")
            types.append(5)
        w = self.writer
        w.add_tokenizer_model("gpt2")
        w.add_tokenizer_pre(pre)
        w.add_token_list(tokens)
        w.add_token_types(types)
        w.add_token_merges(["h e", "he l"])
        return {token: i for i, token in enumerate(tokens)}

    def close(self):
        finish(self.writer)
        save_file(self.expected, OUT / f"{self.name}.safetensors")
        (OUT / f"{self.name}.json").write_text(json.dumps(self.config, indent=1) + "\n")


def llama3_divisors(theta, head_dim, factor, low, high, context):
    """As llama.cpp's converter computes rope_freqs from transformers' llama3 scaling."""
    out = []
    for freq in 1.0 / theta ** (np.arange(0, head_dim, 2, dtype=np.float32) / head_dim):
        wave = 2 * np.pi / freq
        if wave < context / high:
            out.append(1)
        elif wave > context / low:
            out.append(factor)
        else:
            smooth = (context / wave - low) / (high - low)
            out.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(out, dtype=np.float32)


def make_models():
    kinds = {"q": T.Q8_0, "k": T.Q5_0, "v": T.F16, "output": T.F16, "gate": T.Q4_0, "up": T.Q5_1, "down": T.BF16}
    llama = Model("llama", 32, 4, 2, 16, 64, 2, seed=2, pairs=True)
    for layer in range(2):
        llama.attention(layer, kinds)
        llama.mlp(layer, 64, kinds)
    ids = llama.tokenizer("llama-bpe", [("<|begin_of_text|>", 3), ("<|eot_id|>", 3), ("<|eom_id|>", 3)])
    llama.top(len(ids), False, T.Q4_1)
    llama.writer.add_tensor("rope_freqs.weight", llama3_divisors(10000.0, 16, 4.0, 1.0, 4.0, 64))
    llama.writer.add_rope_dimension_count(16)
    llama.writer.add_bos_token_id(ids["<|begin_of_text|>"])
    llama.writer.add_eos_token_id(ids["<|eot_id|>"])
    llama.writer.add_eom_token_id(ids["<|eom_id|>"])
    llama.config |= {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "attention_bias": False,
                     "bos_token_id": ids["<|begin_of_text|>"], "eos_token_id": [ids["<|eot_id|>"], ids["<|eom_id|>"]],
                     "rope_scaling": {"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0,
                                      "high_freq_factor": 4.0, "original_max_position_embeddings": 64}}
    llama.close()

    specials = [("<|endoftext|>", 3), ("<|im_start|>", 3), ("<|im_end|>", 3), ("<think>", 4)]
    for name, bias, norms in (("qwen2", "qkv", False), ("qwen3", False, True), ("qwen3moe", False, True)):
        heads, kv, dim = (2, 1, 16) if name == "qwen2" else (3, 1, 32)
        model = Model(name, 32, heads, kv, dim, 64, 2, seed=len(name))
        for layer in range(2):
            model.attention(layer, kinds, bias, norms)
            if name == "qwen3moe":
                model.experts(layer, 4, 32, T.Q4_1)
            else:
                model.mlp(layer, 64, kinds)
        ids = model.tokenizer("qwen2", specials, unused=3)
        model.top(len(ids), name != "qwen3moe", T.F16)
        model.writer.add_bos_token_id(ids["<|endoftext|>"])
        model.writer.add_eos_token_id(ids["<|im_end|>"])
        model.writer.add_pad_token_id(ids["<|endoftext|>"])
        model.writer.add_add_bos_token(False)
        model.writer.add_chat_template("{{ messages }}")
        model.config |= {"bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|im_end|>"],
                         "pad_token_id": ids["<|endoftext|>"], "rope_scaling": None, "attention_bias": name == "qwen2"}
        if name == "qwen3moe":
            model.writer.add_expert_count(4)
            model.writer.add_expert_used_count(2)
            model.writer.add_expert_feed_forward_length(32)
            model.config |= {"model_type": "qwen3_moe", "architectures": ["Qwen3MoeForCausalLM"], "num_experts": 4,
                             "num_experts_per_tok": 2, "moe_intermediate_size": 32, "norm_topk_prob": True,
                             "decoder_sparse_step": 1, "mlp_only_layers": []}
        else:
            model.config |= {"model_type": name, "architectures": [f"{name.capitalize()}ForCausalLM"]}
        model.close()


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    make_types()
    make_models()
    for path in OUT.iterdir():
        path.chmod(0o644)
