#!/usr/bin/env python3
"""Writes the seeds of fuzz/corpus: small valid files and one lie each. Inputs that a fuzzer found are added beside them."""
import base64
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
    def stacked(**tensors):
        header, at = {}, 0
        for name, (dtype, shape, size) in tensors.items():
            header["layers.0.mlp.experts." + name.replace("__", ".")] = entry(dtype, shape, at, at + size)
            at += size
        return safetensors(header, bytes(i % 251 for i in range(at)))
    cases |= {
        "experts": stacked(gate_up_proj=("BF16", [2, 4, 3], 48), down_proj=("BF16", [2, 3, 2], 24)),
        "turned_experts": stacked(gate_up_proj=("BF16", [2, 3, 4], 48), down_proj=("BF16", [2, 2, 3], 24)),
        "quantized_experts": stacked(gate_up_proj__weight_packed=("I32", [2, 4, 1], 32), gate_up_proj__weight_scale=("F32", [2, 4, 1], 32),
                                     gate_up_proj__weight_shape=("I64", [3], 24), down_proj__weight=("I8", [2, 3, 2], 12)),
        "many_experts": stacked(down_proj=("U8", [999, 1, 1], 999)),
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
        "preset_for_nothing": {**base, "config_groups": {"W8A8": []}},
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


def make_model_config():
    base = {"architectures": ["LlamaForCausalLM"], "vocab_size": 512, "hidden_size": 64, "intermediate_size": 112,
            "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "rms_norm_eps": 1e-5,
            "max_position_embeddings": 256, "rope_theta": 10000.0, "tie_word_embeddings": True, "hidden_act": "silu"}
    llama3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
              "original_max_position_embeddings": 64}
    qwen3 = {**base, "architectures": ["Qwen3ForCausalLM"], "head_dim": 16, "attention_bias": False}
    moe = {**qwen3, "architectures": ["Qwen3MoeForCausalLM"], "num_experts": 8, "num_experts_per_tok": 2,
           "moe_intermediate_size": 40, "norm_topk_prob": True, "decoder_sparse_step": 2, "mlp_only_layers": [1]}
    cases = {
        "llama": base, "llama3": {**base, "rope_scaling": llama3}, "linear": {**base, "rope_scaling": {"type": "linear", "factor": 2}},
        "parameters": {**base, "rope_parameters": {"rope_theta": 5e5, **llama3}},
        "qwen2": {**base, "architectures": ["Qwen2ForCausalLM"], "use_sliding_window": True, "sliding_window": 32,
                  "max_window_layers": 1, "layer_types": ["full_attention", "sliding_attention"]},
        "qwen3": qwen3, "moe": moe, "expert_bomb": {**moe, "num_hidden_layers": 1024, "num_experts": 65536},
        "position_bomb": {**base, "max_position_embeddings": 2**31 - 1}, "wide": {**base, "hidden_size": 2**63},
        "heads": {**base, "num_key_value_heads": 3}, "negative": {**base, "vocab_size": -1}, "zero": {**base, "num_attention_heads": 0},
        "code": {**base, "auto_map": {"AutoModel": "evil.Model"}}, "no_name": {**base, "architectures": []},
        "more_heads_than_width": {**base, "hidden_size": 2},
        "one_wide_head": {**base, "hidden_size": 2**20, "num_attention_heads": 1, "num_key_value_heads": 1}, "texts": {key: str(value) for key, value in base.items()}, "list": [base],
    }
    for name, value in cases.items():
        save("model_config", name, json.dumps(value))


def tokenizer(model=None, added=(), **parts):
    return {"version": "1.0", "truncation": None, "padding": None, "normalizer": None, "pre_tokenizer": None,
            "post_processor": None, "decoder": None,
            "added_tokens": [{"id": 10 + i, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
                              "normalized": normalized, "special": True} for i, (text, normalized) in enumerate(added)],
            "model": model or {"type": "BPE", "vocab": {"h": 0, "e": 1, "he": 2, "l": 3, " ": 4, "\u2581": 5}, "merges": ["h e"]},
            **parts}


def make_tokenizer():
    def split(regex):
        return {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}

    def replace(pattern, content):
        return {"type": "Replace", "pattern": pattern, "content": content}

    def sequence(key, *parts):
        return {"type": "Sequence", key: list(parts)}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    spaces = [replace({"String": " "}, "\u2581"), {"type": "Prepend", "prepend": "\u2581"}]
    template = {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [10], "tokens": ["<s>"]}}}
    gpt2 = "'s|'t| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
    charsmap = base64.b64encode(struct.pack("<I", 4) + struct.pack("<I", 0) + b"abc\0def\0").decode()
    lying = base64.b64encode(struct.pack("<I", 2**32 - 1) + b"abc").decode()
    cases = {
        "byte_level": tokenizer(pre_tokenizer=byte_level, decoder=byte_level, post_processor=byte_level, added=[("<s>", False)]),
        "split": tokenizer(pre_tokenizer=sequence("pretokenizers", split(gpt2), {**byte_level, "use_regex": False}), decoder=byte_level),
        "spaces": tokenizer(normalizer=sequence("normalizers", *spaces), added=[("<s>", True)], post_processor=template,
                            decoder=sequence("decoders", replace({"String": "\u2581"}, " "), {"type": "ByteFallback"}, {"type": "Fuse"},
                                             {"type": "Strip", "content": " ", "start": 1, "stop": 0})),
        "unigram": tokenizer({"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["h", -1.5], ["he", -1]], "byte_fallback": False},
                             normalizer={"type": "Precompiled", "precompiled_charsmap": charsmap},
                             pre_tokenizer={"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}),
        "word_piece": tokenizer({"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                                 "max_input_chars_per_word": 100, "vocab": {"[UNK]": 0, "h": 1, "##e": 2}},
                                normalizer={"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                                            "strip_accents": None, "lowercase": True},
                                pre_tokenizer={"type": "BertPreTokenizer"}, decoder={"type": "WordPiece", "prefix": "##", "cleanup": True}),
        "word_level": tokenizer({"type": "WordLevel", "vocab": {"h": 0, "[UNK]": 1}, "unk_token": "[UNK]"}, pre_tokenizer={"type": "Whitespace"}),
        "forms": tokenizer(normalizer=sequence("normalizers", *({"type": kind} for kind in ("NFD", "NFKC", "StripAccents", "Lowercase", "Nmt")),
                                               {"type": "Strip", "strip_left": True, "strip_right": True}),
                           pre_tokenizer=sequence("pretokenizers", {"type": "Digits", "individual_digits": True}, {"type": "UnicodeScripts"},
                                                  {"type": "Punctuation", "behavior": "Isolated"}, {"type": "FixedLength", "length": 0}),
                           decoder=sequence("decoders", {"type": "CTC", "pad_token": "<pad>", "word_delimiter_token": "|", "cleanup": True},
                                            {"type": "BPEDecoder", "suffix": "</w>"}, {"type": "Strip", "content": "h", "start": 9, "stop": 9})),
        # Each of these asked for hours or gigabytes.
        "exponential_regex": tokenizer(pre_tokenizer=split("(a+)+$|(a|aa)*b")), "polynomial_regex": tokenizer(pre_tokenizer=split("(?=a*a*a*b|)a")),
        "regex_bomb": tokenizer(pre_tokenizer=split("((((a{99}){99}){99}){99})")), "regex_nesting": tokenizer(pre_tokenizer=split("(" * 3000 + ")" * 3000)),
        "growth": tokenizer(normalizer=sequence("normalizers", *[replace({"String": "e"}, "ee")] * 60)),
        "insertion": tokenizer(normalizer=replace({"Regex": ""}, "x" * 9000)), "slow_normalizer": tokenizer(normalizer=replace({"Regex": "(a+)+b"}, "")),
        "prepend": tokenizer(normalizer=sequence("normalizers", *[{"type": "Prepend", "prepend": "x" * 5000}] * 9)),
        "special_tokens": tokenizer(post_processor={**template, "single": template["single"][:1] * 3000}),
        "decoder_growth": tokenizer(decoder=sequence("decoders", *[replace({"String": "h"}, "hh")] * 60)),
        "lying_charsmap": tokenizer(normalizer={"type": "Precompiled", "precompiled_charsmap": lying}),
        "long_token": tokenizer({"type": "BPE", "vocab": {"x" * 9000: 0}, "merges": []}),
        "long_word": tokenizer({"type": "WordPiece", "unk_token": "a", "continuing_subword_prefix": "", "max_input_chars_per_word": 2**60,
                                "vocab": {"a": 0}}),
        "huge_id": tokenizer({"type": "BPE", "vocab": {"a": 2**32 - 1, "b": 2**31}, "merges": []}, added=[("z", False)]),
        "no_merge": tokenizer({"type": "BPE", "vocab": {}, "merges": ["a b"]}), "no_model": {"version": "1.0"},
        "prefix_longer_than_token": tokenizer({"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": ["a b"], "continuing_subword_prefix": "\u2581##"}),
        "untyped": tokenizer(normalizer={"pattern": {"String": "e"}, "content": "e" * 9000}),
    }
    for name, value in cases.items():
        save("tokenizer", name, json.dumps(value))
    save("tokenizer", "deep", '{"normalizer":' + '{"type":"Sequence","normalizers":[' * 200)
    save("tokenizer", "twice", '{"normalizer":null,"normalizer":{"type":"NFC"},"model":{"type":"BPE","vocab":{},"merges":[]}}')


def make_tokenizer_config():
    cases = {
        "tokens": {"bos_token": "<s>", "eos_token": {"content": "</s>", "lstrip": False}, "pad_token": None, "add_bos_token": True},
        "template": {"chat_template": "{{ messages }}"},
        "templates": {"chat_template": [{"name": "default", "template": "d"}, {"name": "tool_use", "template": "t"}]},
        "wrong": {"bos_token": 1, "add_bos_token": "yes", "chat_template": [1]}, "no_content": {"eos_token": {"text": "x"}}, "list": [1],
    }
    for name, value in cases.items():
        save("tokenizer_config", name, json.dumps(value))
    save("tokenizer_config", "deep", '{"a":' + "[" * 9000)
    save("tokenizer_config", "nul", '{}\0{"a":')


def make_chat_template():
    cases = {
        "chatml": "{%- for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + (message.content or '') | trim + '<|im_end|>\n' }}"
                  "{%- endfor %}{% if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{% endif %}",
        "tools": "{{ bos_token }}{% if tools is not none and tools %}{{ tools | tojson(indent=2) }}{% endif %}{% set ns = namespace(found=false) %}"
                 "{% for m in messages[::-1] if m.role == 'user' %}{% set ns.found = loop.first %}{% continue %}{% endfor %}{{ ns.found }}",
        "macros": "{% macro show(x, depth=0) -%}{{ x ~ depth }}{%- endmacro %}{{ show(messages|length) }}{% set a, b = 1, 2 %}{{ a // b ** 2 }}"
                  "{% generation %}{{ messages[-1].content.split('</think>')[-1].lstrip('\n').upper() }}{% endgeneration %}",
        "raise": "{% if messages|length > 1 %}{{ raise_exception('no') }}{% endif %}{{ strftime_now('%d %b %Y') }}",
        "filters": "{{ messages | map(attribute='role') | unique | sort | join(', ') | title | replace('U', 'u') | indent(2) }}"
                   "{{ 'a,b'.split(',') | tojson }}{{ messages | groupby('role') | list | length }}{{ '%5.2f|%s' | format(1.5, 'x') }}",
        "raw": "{% raw %}{{ x }}{% endraw %}{# comment #}{{ '{%' }}", "open": "{% for x in", "unknown": "{% include '/etc/passwd' %}{% import 'a' as b %}",
        # Each of these would run for hours, fill the memory or overflow the stack.
        "loops": "{% for i in range(99999) %}" * 4 + "x" + "{% endfor %}" * 4, "power": "{{ 9 ** 9 ** 9 }}{{ 'x' * 10 ** 12 }}",
        "doubling": "{% set ns = namespace(s='xx') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
        "recursion": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "itself": "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}",
        "format": "{{ '%999999999d' | format(1) }}{{ 'x' | center(999999999) }}{{ 'x'.ljust(999999999) }}{{ 'x' | indent(999999999) }}",
        "range": "{{ range(999999999) | list | sum }}{{ range(0, 9, 0) }}", "batch": "{{ range(9) | batch(999999999, 'x') | list }}",
        "slices": "{{ range(9) | slice(999999999) | list }}", "nested": "{{ " + "(" * 3000, "chain": "{{ 1" + "~1" * 3000 + " }}",
        "blocks": "{% if 1 %}" * 200 + "{% endif %}" * 200, "lists": "{{ " + "[" * 100 + "]" * 100 + " | tojson }}", "pickle": "{{ ''.__class__.__mro__ }}",
    }
    for name, value in cases.items():
        save("chat_template", name, value)


def make_packed_header():
    """The fields as src/formats/packed/packed_header.cc transfers them."""
    def packed(string):
        return struct.pack("<I", len(string)) + string.encode()

    def many(*things):
        return struct.pack("<I", len(things)) + b"".join(things)

    def array(offset, size):
        return struct.pack("<QQ", offset, size)

    def scheme(bits, group, act_bits):
        return struct.pack("<ii?iBi?f?", bits, group, True, act_bits, 0, 0, False, 1.0, False)

    def entry(name, kind, steps=(), arrays=((0, 64), (64, 32))):
        head = packed(name) + packed(kind) + scheme(4, 32, 8) + struct.pack("<fiqq", 1.0, 0, 16, 32)
        return head + many(*(array(*place) for place in arrays)) + array(128, 64) + many(*steps) + many()

    def step(kind, rows, columns):
        return packed(kind) + struct.pack("<qq?", rows, columns, False) + many(array(192, 16))

    def file(entries, texts=(("config.json", 0, 2),)):
        header = packed("none") + many(packed("dtype") + packed("bfloat16")) + many(packed("model.safetensors") + struct.pack("<QqQ", 9, 8, 7))
        header += struct.pack("<Q", 64) + many(*(packed(name) + array(at, size) for name, at, size in texts)) + many(*entries)
        return b"TessPack" + struct.pack("<IIIIQQQQQ", 0x01020304, 1, 1, 0, len(header), 0, 0, 0, 0) + header
    linear = entry("model.layers.0.mlp.up_proj", "integer")
    cases = {
        "empty": file([]), "linear": file([linear]), "steps": file([entry("a", "integer", [step("hadamard", 1, 32), step("matrix", 2, 4)])]),
        "outside": file([entry("a", "b", arrays=[(0, 2**63)])]), "near_2_64": file([entry("a", "b", arrays=[(2**64 - 64, 128)])]),
        "unaligned": file([entry("a", "b", arrays=[(1, 1)])]), "no_end": file([linear])[:-9], "many": file([])[:-4] + struct.pack("<I", 2**32 - 1),
        "huge_rows": file([entry("a", "b", [step("matrix", 2**62, 2**62)])]), "torn": b"TessPack",
    }
    for name, value in cases.items():
        save("packed_header", name, value)


def make_gptq_config():
    gptq = {"bits": 4, "group_size": 128, "desc_act": True, "sym": False, "quant_method": "gptq", "checkpoint_format": "gptq_v2",
            "dynamic": {"-:.*gate.*": {}, ".*down.*": {"bits": 8, "group_size": 32}}, "pack_dtype": "int32", "true_sequential": True}
    awq = {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm", "modules_to_not_convert": ["lm_head"]}
    cases = {
        "gptq": gptq, "awq": awq, "inside": {"quantization_config": gptq}, "old_awq": {"w_bit": 4, "q_group_size": 64, "zero_point": True, "version": "GEMM"},
        "marlin": {**gptq, "is_marlin_format": True}, "no_groups": {**gptq, "group_size": 0}, "wide": {**gptq, "group_size": 2**40},
        "bits": {**gptq, "bits": 2**31}, "texts": {key: str(value) for key, value in gptq.items()}, "patterns": {**gptq, "dynamic": {"(" * 99: 1}},
    }
    for name, value in cases.items():
        save("gptq_config", name, json.dumps(value))


if __name__ == "__main__":
    make_safetensors()
    make_index()
    make_json()
    make_gguf()
    make_quantization_config()
    make_quant_model_description()
    make_model_config()
    make_tokenizer()
    make_tokenizer_config()
    make_chat_template()
    make_packed_header()
    make_gptq_config()
