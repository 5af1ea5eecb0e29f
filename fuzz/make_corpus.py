#!/usr/bin/env python3
"""Writes the seeds of fuzz/corpus: small valid files and one lie each. Inputs that a fuzzer found are added beside them."""
import json
import struct
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"


def save(folder, name, data):
    path = CORPUS / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())


def safetensors(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def make_safetensors():
    good = {"__metadata__": {"format": "pt"}, "a": entry("F32", [2, 1], 0, 8), "b": entry("I8", [], 8, 9)}
    cases = {
        "valid": safetensors(good, b"123456789"),
        "empty": safetensors({}),
        "hole": safetensors({"a": entry("I8", [1], 1, 2)}, b"12"),
        "overlap": safetensors({"a": entry("I8", [2], 0, 2), "b": entry("I8", [2], 1, 3)}, b"123"),
        "wrapping_shape": safetensors({"a": entry("I8", [1 << 32, 1 << 32], 0, 0)}),
        "wrapping_bytes": safetensors({"a": entry("F64", [1 << 61], 0, 0)}),
        "offsets_near_2_64": safetensors({"a": entry("I8", [1], 2**64 - 2, 2**64 - 1)}, b"1"),
        "huge_length": safetensors({}, length=2**64 - 8),
        "duplicate": safetensors(b'{"a":{"dtype":"I8","shape":[0],"data_offsets":[0,0]},"a":1}'),
        "deep": safetensors(b"{" + b'"a":{' * 50),
        "nul": safetensors(b"{}\0{}"),
    }
    for name, data in cases.items():
        save("safetensors", name, data)


def make_index():
    cases = {
        "valid": {"metadata": {"total_size": 3}, "weight_map": {"a": "model-00001-of-00002.safetensors"}},
        "parent": {"weight_map": {"a": "../model.safetensors"}},
        "absolute": {"weight_map": {"a": "/etc/passwd"}},
        "nul": {"weight_map": {"a": "model.safetensors\0"}},
        "dots": {"weight_map": {"a": "..", "b": ".", "c": ""}},
        "not_text": {"weight_map": {"a": 1}},
    }
    for name, value in cases.items():
        save("safetensors_index", name, json.dumps(value))


def make_json():
    cases = {"values": '{"a":[1,-2,2.5e3,true,null,"\\u00e9\\ud83d\\ude00"]}', "duplicate": '{"a":1,"a":2}',
             "deep": "[" * 100, "bad_utf8": b'"\xc0\x80"', "lone_surrogate": '"\\ud800"', "nul": b"{}\0",
             "big_numbers": "[18446744073709551615,-9223372036854775808,1e308,1e-320,-0]", "overflow": "1e999"}
    for name, text in cases.items():
        save("json", name, text)


def text(value):
    return struct.pack("<Q", len(value)) + value.encode()


def gguf(keys, tensors, data=b"", version=3):
    out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys))
    for key, (kind, value) in keys.items():
        out += text(key) + struct.pack("<I", kind)
        if kind == 9:
            element, items = value
            out += struct.pack("<IQ", element, len(items))
            out += b"".join(text(i) if element == 8 else struct.pack("<i", i) for i in items)
        else:
            out += text(value) if kind == 8 else struct.pack("<I" if kind == 4 else "<f", value)
    for name, dims, kind, offset in tensors:
        out += text(name) + struct.pack(f"<I{len(dims)}QIQ", len(dims), *dims, kind, offset)
    return out + b"\0" * (-len(out) % 32) + data


def make_gguf():
    keys = {"general.architecture": (8, "llama"), "llama.block_count": (4, 1), "llama.context_length": (4, 16),
            "llama.embedding_length": (4, 4), "llama.feed_forward_length": (4, 3), "llama.attention.head_count": (4, 2),
            "llama.attention.layer_norm_rms_epsilon": (6, 1e-5), "tokenizer.ggml.model": (8, "gpt2"),
            "tokenizer.ggml.pre": (8, "smollm"), "tokenizer.ggml.tokens": (9, (8, ["a", "b", "ab", "<s>"])),
            "tokenizer.ggml.token_type": (9, (5, [1, 1, 1, 3])), "tokenizer.ggml.merges": (9, (8, ["a b"])),
            "tokenizer.ggml.eos_token_id": (4, 3)}
    shapes = {"token_embd.weight": [4, 4], "output_norm.weight": [4], "blk.0.attn_norm.weight": [4],
              "blk.0.attn_q.weight": [4, 4], "blk.0.attn_k.weight": [4, 4], "blk.0.attn_v.weight": [4, 4],
              "blk.0.attn_output.weight": [4, 4], "blk.0.ffn_norm.weight": [4], "blk.0.ffn_gate.weight": [4, 3],
              "blk.0.ffn_up.weight": [4, 3], "blk.0.ffn_down.weight": [3, 4], "rope_freqs.weight": [1]}
    tensors, data = [], b""
    for name, dims in shapes.items():
        count = 1
        for dim in dims:
            count *= dim
        tensors.append((name, dims, 0, len(data)))
        data += struct.pack("<f", 1.0) * count
        data += b"\0" * (-len(data) % 32)
    save("gguf", "model", gguf(keys, tensors, data))
    save("gguf", "version_2", gguf(keys, tensors, data, version=2))
    save("gguf", "truncated", gguf(keys, tensors, data)[:500])
    # Every quantized type, one row of 256.
    blocks = {2: 144, 3: 160, 6: 176, 7: 192, 8: 272, 10: 84, 11: 110, 12: 144, 13: 176, 14: 210, 1: 512, 30: 512}
    tensors, data = [], b""
    for kind, size in blocks.items():
        tensors.append((f"t{kind}", [256], kind, len(data)))
        data += bytes(i % 251 for i in range(size))
        data += b"\0" * (-len(data) % 32)
    save("gguf", "types", gguf({}, tensors, data))
    lies = {"wrapping_dims": ("t", [1 << 32, 1 << 32], 0, 0), "huge_dim": ("t", [1 << 62], 0, 0),
            "zero_dim": ("t", [0], 0, 0), "offset_near_2_64": ("t", [1], 0, 2**64 - 32), "rank_5": ("t", [1] * 5, 0, 0),
            "partial_block": ("t", [33], 2, 0), "unknown_type": ("t", [1], 999, 0)}
    for name, tensor in lies.items():
        save("gguf", name, gguf({}, [tensor], b"\0" * 64))


def make_quantization_config():
    args = {"num_bits": 4, "type": "int", "symmetric": True, "strategy": "group", "group_size": 32, "dynamic": False}
    inputs = {"num_bits": 8, "strategy": "token", "dynamic": True}
    group = {"targets": ["Linear"], "format": "pack-quantized", "weights": args, "input_activations": inputs}
    base = {"quant_method": "compressed-tensors", "format": "pack-quantized", "ignore": ["lm_head", "re:.*mlp.gate$"],
            "config_groups": {"group_0": group}}

    def changed(**group_keys):
        return {**base, "config_groups": {"group_0": {**group, **group_keys}}}
    cases = {
        "group": base, "wrapped": {"quantization_config": base}, "old_key": {"compression_config": base},
        "preset": {**base, "config_groups": {"W8A8": ["Linear"], "W4A16": ["re:.*q_proj$"]}},
        "exponential_regex": changed(targets=["re:(a*)*(a*)*b$", "re:(?!.*lm_head).*"]),
        "regex_bomb": changed(targets=["re:((((a{99}){99}){99}){99})"]), "regex_nesting": changed(targets=["re:" + "(" * 900]),
        "bad_regex": changed(targets=["re:[z-a]", "re:(?P<x>y)"]), "unknown_key": changed(surprise=1),
        "wide_number": changed(weights={**args, "group_size": 2**63}), "wrong_types": changed(weights=[1], targets={"a": None}),
        "no_weights": changed(weights=None, input_activations=None), "not_an_object": [base],
    }
    for name, value in cases.items():
        save("quantization_config", name, json.dumps(value).encode())


def make_quant_model_description():
    def module(kind, *locals_, name="m"):
        return {f"{name}.{local}": kind for local in ("weight", "weight_scale", "weight_offset", *locals_)}
    static = {f"m.{local}": "W8A8" for local in ("weight", "input_scale", "input_offset", "deq_scale", "quant_bias")}
    cases = {
        "dynamic": {"model_quant_type": "W8A8_DYNAMIC", "version": "1.0.0", "group_size": 0, **module("W8A8_DYNAMIC")},
        "mixed": {**module("W4A4_DYNAMIC"), "m.bias": "FLOAT", "f.weight": "FLOAT"},
        "static": {**static, "m.bias": "FLOAT"}, "mix": {k: "W8A8_MIX" for k in (*static, *module(""))},
        "flatquant": module("W4A4_FLATQUANT_DYNAMIC", "left_trans", "right_trans", "clip_ratio"),
        "smooth": {"s.div.mul_scale": "FLOAT", **module("W8A8_DYNAMIC", name="s.linear")},
        "two_levels": module("W4A8_DYNAMIC", "weight_scale_second", "weight_offset_second", "scale_bias"),
        "absent": module("W8A16", name="nowhere"), "unknown_type": module("W4A4_MXFP4"), "int_float": {"m.weight": "FLOAT"},
        "features": {"fa_quant_type": "FAKQuant", "kv_cache_type": "C8", "metadata": {"quarot": {"max_tp_size": 4}}, **module("C8")},
        "no_text": {"m.weight": 1}, "list": [1], "empty": {}, "disagreement": {**module("W4A16"), "m.weight": "W8A16"},
        "deep": '{"metadata":' + "[" * 50, "duplicate": '{"m.weight":"W8A8","m.weight":"FLOAT"}',
        "long_name": {"m." + "x" * 2000: "FLOAT"}, "many_types": {f"t.{i}": f"W{i}" for i in range(300)},
    }
    for name, value in cases.items():
        save("quant_model_description", name, value if isinstance(value, str) else json.dumps(value))


if __name__ == "__main__":
    make_safetensors()
    make_index()
    make_json()
    make_gguf()
    make_quantization_config()
    make_quant_model_description()
