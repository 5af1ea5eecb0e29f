"""Writes a GGUF file (version 3) with the shapes of a config.json and random weights, for measurements of engines that read GGUF.

Standard library only: blocks of each type are repeated from one random pattern, so that a gigabyte is there in seconds. The types are
those that llama.cpp's quantizer would choose: with a 4-bit type, the output head (or the tied embedding) is Q6_K.
"""
import json
import math
import random
import struct
from pathlib import Path

ALIGNMENT = 32
PATTERN_BLOCKS = 8191  # prime, so that rows of neighbouring tensors do not start alike
DEVIATION = 0.02  # of weights: what models are initialised with

ARCHITECTURES = {"LlamaForCausalLM": "llama", "Qwen3ForCausalLM": "qwen3", "Qwen3MoeForCausalLM": "qwen3moe"}


def f16(value):
    return struct.pack("<e", value)


def q4_0_block(rng):
    return f16(DEVIATION / 4.6) + rng.randbytes(16)  # uniform nibbles: deviation 4.6


def q8_0_block(rng):
    return f16(DEVIATION / 74) + rng.randbytes(32)  # uniform bytes: deviation 74


def q4_k_block(rng):
    scale = DEVIATION / 257  # scale * nibble - 7.5 * minimum, both of 6 bits
    return f16(scale) + f16(7.5 * scale) + rng.randbytes(12 + 128)


def q6_k_block(rng):
    return rng.randbytes(128 + 64 + 16) + f16(DEVIATION / 1367)  # int8 scale times 6-bit code


def bf16_block(rng):
    return struct.pack("<32H", *(struct.unpack("<I", struct.pack("<f", rng.gauss(0, DEVIATION)))[0] >> 16 for _ in range(32)))


def f32_block(rng):
    return struct.pack("<32f", *(rng.gauss(0, DEVIATION) for _ in range(32)))


def ones_block(_):
    return struct.pack("<32f", *[1.0] * 32)


# name -> (number in the file, weights per block, block)
TYPES = {"f32": (0, 32, f32_block), "ones": (0, 32, ones_block), "q4_0": (2, 32, q4_0_block), "q8_0": (8, 32, q8_0_block),
         "q4_k": (12, 256, q4_k_block), "q6_k": (14, 256, q6_k_block), "bf16": (30, 32, bf16_block)}


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def metadata(name, value):
    if isinstance(value, str):
        return text(name) + struct.pack("<I", 8) + text(value)
    if isinstance(value, float):
        return text(name) + struct.pack("<If", 6, value)
    return text(name) + struct.pack("<II", 4, value)


def texts(name, values):
    """An array of strings."""
    return text(name) + struct.pack("<IIQ", 9, 8, len(values)) + b"".join(text(value) for value in values)


def integers(name, values):
    return text(name) + struct.pack(f"<IIQ{len(values)}i", 9, 5, len(values), *values)


CONTROL, NORMAL = 3, 1  # kinds of tokens: servers do not show the text of the former


def vocabulary_tokens(size):
    """`size` tokens that nobody trained: bytes, as GPT-2 writes them, one merge, and names for the rest, which no text becomes."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    letters = [chr(byte) for byte in shown] + [chr(256 + i) for i in range(len(hidden))]
    return [*letters, "ab", *(f"<{i}>" for i in range(size - len(letters) - 1))], len(letters) + 1


def vocabulary(size, kind):
    """A tokenizer of those, for engines that load no model without one; the names are tokens of `kind`."""
    tokens, texts_end = vocabulary_tokens(size)
    return [metadata("tokenizer.ggml.model", "gpt2"), metadata("tokenizer.ggml.pre", "qwen2"), texts("tokenizer.ggml.tokens", tokens),
            integers("tokenizer.ggml.token_type", [NORMAL] * texts_end + [kind] * (size - texts_end)),
            texts("tokenizer.ggml.merges", ["a b"]), metadata("tokenizer.ggml.eos_token_id", size - 1),
            metadata("tokenizer.ggml.bos_token_id", size - 1), metadata("tokenizer.ggml.padding_token_id", size - 1), metadata("tokenizer.chat_template", "{{ messages[0].content }}")]


FILE_TYPES = {"f32": 0, "q4_0": 2, "q8_0": 7, "q4_k": 15, "bf16": 32}  # general.file_type


def describe(config, kind, names):
    """The file's metadata, as bytes per entry. `names`: the kind of tokens that a vocabulary has, None for no vocabulary."""
    architecture = ARCHITECTURES[config["architectures"][0]]
    values = {
        "block_count": config["num_hidden_layers"], "context_length": config["max_position_embeddings"],
        "embedding_length": config["hidden_size"], "feed_forward_length": config["intermediate_size"],
        "attention.head_count": config["num_attention_heads"], "attention.head_count_kv": config["num_key_value_heads"],
        "attention.key_length": config["head_dim"], "attention.value_length": config["head_dim"],
        "attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]), "rope.freq_base": float(config["rope_theta"]),
        "rope.dimension_count": config["head_dim"], "vocab_size": config["vocab_size"]}
    if "num_experts" in config:
        values |= {"expert_count": config["num_experts"], "expert_used_count": config["num_experts_per_tok"],
                   "expert_feed_forward_length": config["moe_intermediate_size"]}
    general = [metadata("general.architecture", architecture), metadata("general.name", "for measurements"),
               metadata("general.file_type", FILE_TYPES[kind])]
    general += vocabulary(config["vocab_size"], names) if names else [metadata("tokenizer.ggml.model", "no_vocab")]
    return general + [metadata(f"{architecture}.{key}", value) for key, value in values.items()]


def tensors(config, kind):
    """(name, dimensions, fastest first, type) of every tensor."""
    hidden, vocab, head = config["hidden_size"], config["vocab_size"], config["head_dim"]
    queries, keys = config["num_attention_heads"] * head, config["num_key_value_heads"] * head
    head_kind = "q6_k" if kind.startswith("q4") else kind
    tied = config.get("tie_word_embeddings", False)
    result = [("token_embd.weight", [hidden, vocab], head_kind if tied else kind), ("output_norm.weight", [hidden], "ones")]
    if not tied:
        result.append(("output.weight", [hidden, vocab], head_kind))
    for layer in range(config["num_hidden_layers"]):
        shapes = {"attn_norm": ([hidden], "ones"), "attn_q": ([hidden, queries], kind), "attn_k": ([hidden, keys], kind),
                  "attn_v": ([hidden, keys], kind), "attn_q_norm": ([head], "ones"), "attn_k_norm": ([head], "ones"),
                  "attn_output": ([queries, hidden], kind), "ffn_norm": ([hidden], "ones")}
        if "num_experts" in config:
            experts, width = config["num_experts"], config["moe_intermediate_size"]
            shapes |= {"ffn_gate_inp": ([hidden, experts], "f32"), "ffn_gate_exps": ([hidden, width, experts], kind),
                       "ffn_up_exps": ([hidden, width, experts], kind), "ffn_down_exps": ([width, hidden, experts], kind)}
        else:
            width = config["intermediate_size"]
            shapes |= {"ffn_gate": ([hidden, width], kind), "ffn_up": ([hidden, width], kind), "ffn_down": ([width, hidden], kind)}
        result += [(f"blk.{layer}.{name}.weight", dimensions, of) for name, (dimensions, of) in shapes.items()]
    return result


def tensor_bytes(dimensions, kind):
    _, per_block, block = TYPES[kind]
    count = math.prod(dimensions)
    assert dimensions[0] % per_block == 0, f"rows of {dimensions[0]} in {kind}, expected a multiple of {per_block}"
    return count // per_block * len(block(random.Random(0)))


def write_weights(file, size, pattern, start):
    """`size` bytes of the endless repetition of `pattern` from the block `start`."""
    at = start
    while size > 0:
        piece = memoryview(pattern)[at:at + size]
        file.write(piece)
        size -= len(piece)
        at = 0


def write_gguf(config_path, path, kind, names=None):
    """Writes `path` with weights of `kind` (a name of TYPES) and, with `names` CONTROL or NORMAL, a vocabulary; returns its size in bytes."""
    config = json.loads(Path(config_path).read_text())
    entries, wanted = describe(config, kind, names), tensors(config, kind)
    rng = random.Random(1)
    patterns = {of: b"".join(TYPES[of][2](rng) for _ in range(PATTERN_BLOCKS)) for of in {of for _, _, of in wanted}}

    def write(file, dimensions, of):
        block = len(patterns[of]) // PATTERN_BLOCKS
        write_weights(file, tensor_bytes(dimensions, of), patterns[of], rng.randrange(PATTERN_BLOCKS) * block)

    return write_file(path, entries, [(name, dimensions, of, lambda file, d=dimensions, of=of: write(file, d, of)) for name, dimensions, of in wanted])


def write_file(path, entries, wanted):
    """A GGUF file of metadata and tensors (name, dimensions, type, function that writes its bytes to a file); returns its size in bytes."""
    infos, offset = [], 0
    for name, dimensions, of, _ in wanted:
        infos.append(text(name) + struct.pack(f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, TYPES[of][0], offset))
        offset += -(-tensor_bytes(dimensions, of) // ALIGNMENT) * ALIGNMENT
    with open(path, "wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, len(wanted), len(entries)) + b"".join(entries) + b"".join(infos))
        for _, _, _, write in wanted:
            file.write(b"\0" * (-file.tell() % ALIGNMENT))
            write(file)
        file.write(b"\0" * (-file.tell() % ALIGNMENT))
        return file.tell()
