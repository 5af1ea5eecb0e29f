#!/usr/bin/env python3
"""Compares a directory written by `tessera import --dtype float32` with what the Python package gguf reads from the same
GGUF file: every tensor bit for bit (with the rows of q and k put in the order of transformers' GGUF loader), and the
tokenizer and config as transformers loads them.

    python3 check_gguf_import.py FILE.gguf DIRECTORY [--bfloat16]
"""
import argparse
import re

import numpy as np
import torch
from gguf import GGUFReader
from gguf.quants import dequantize
from safetensors import safe_open
from transformers import AutoConfig, AutoTokenizer

LAYER = {"attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj",
         "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm",
         "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
         "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm", "ffn_gate_inp": "mlp.gate"}
TOP = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
STRINGS = ["Hello, world!", "  two  spaces\n\n\ttab", "x = 1234567; y=0.5e-10", "naïve café — “quotes” 中文 😀👩‍👩‍👧",
           "<|im_start|>user\nhi<|im_end|>\n", "I'll can't WE'RE", "\u0000\u0001\x7f", "e\u0301"]


def hf_tensors(name, values, architecture, heads, kv_heads):
    """Pairs of Hugging Face name and array for one GGUF tensor."""
    stem, kind = name.rsplit(".", 1)
    if stem in TOP:
        return [(f"{TOP[stem]}.{kind}", values)]
    layer, part = re.fullmatch(r"blk\.(\d+)\.(.+)", stem).groups()
    prefix = f"model.layers.{layer}."
    if part.endswith("_exps"):
        projection = part[len("ffn_"):-len("_exps")]
        return [(f"{prefix}mlp.experts.{e}.{projection}_proj.{kind}", values[e]) for e in range(values.shape[0])]
    if architecture == "llama" and part in ("attn_q", "attn_k"):
        n = heads if part == "attn_q" else kv_heads
        values = values.reshape(n, -1, 2, *values.shape[1:]).swapaxes(2, 1).reshape(values.shape)
    return [(f"{prefix}{LAYER[part]}.{kind}", values)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gguf")
    parser.add_argument("directory")
    parser.add_argument("--bfloat16", action="store_true")
    args = parser.parse_args()
    reader = GGUFReader(args.gguf)
    field = lambda key: reader.fields[key].contents()
    architecture = field("general.architecture")
    heads, kv_heads = field(f"{architecture}.attention.head_count"), field(f"{architecture}.attention.head_count_kv")

    seen = 0
    with safe_open(f"{args.directory}/model.safetensors", "pt") as ours:
        names = set(ours.keys())
        for tensor in reader.tensors:
            if tensor.name == "rope_freqs.weight":
                continue
            values = dequantize(tensor.data, tensor.tensor_type).reshape([int(d) for d in reversed(tensor.shape)])
            for name, expected in hf_tensors(tensor.name, values, architecture, heads, kv_heads):
                want = torch.from_numpy(np.array(expected, dtype=np.float32))
                if args.bfloat16:
                    want = want.to(torch.bfloat16)
                got = ours.get_tensor(name)
                assert got.dtype == want.dtype and got.shape == want.shape, (name, got.dtype, got.shape, want.shape)
                width = torch.int16 if args.bfloat16 else torch.int32
                assert torch.equal(got.view(width), want.view(width)), f"{name} differs"
                names.remove(name)
                seen += 1
        assert not names, f"left over: {sorted(names)[:5]}"
    print(f"{seen} tensors equal bit for bit")

    config = AutoConfig.from_pretrained(args.directory)
    print("config:", type(config).__name__, config.hidden_size, config.num_hidden_layers)
    tokenizer = AutoTokenizer.from_pretrained(args.directory)
    tokens = field("tokenizer.ggml.tokens")
    for text in STRINGS:
        ids = tokenizer.encode(text, add_special_tokens=False)
        print(repr(text), [tokens[i] for i in ids])
        assert tokenizer.decode(ids) == text or architecture != "llama", (text, tokenizer.decode(ids))
    print(tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False, add_generation_prompt=True)
          if tokenizer.chat_template else "no chat template")


if __name__ == "__main__":
    main()
