"""A Hugging Face checkpoint of a Llama, one safetensors file in bf16, as GGUF in bf16: what llama.cpp's quantizer makes its types of.
Standard library only. The file has no vocabulary: for measurements that bring token ids."""
import json
import mmap
import struct
from pathlib import Path

from gguf_writer import describe, write_file

# llama.cpp's names of a layer's tensors.
LAYER = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
         "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
GLOBAL = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}


def gguf_name(name):
    if name in GLOBAL:
        return GLOBAL[name]
    _, layers, layer, rest = name.split(".", 3)
    if layers != "layers" or rest.removesuffix(".weight") not in LAYER:
        raise RuntimeError(f"{name}: not a tensor of a Llama without biases")
    return f"blk.{layer}.{LAYER[rest.removesuffix('.weight')]}.weight"


def paired_rows(data, rows, head_dim):
    """The rows of q_proj or k_proj in llama.cpp's order, which rotates neighbours: row j * head_dim / 2 + i of a head comes to 2 * i + j."""
    width, half = len(data) // rows, head_dim // 2
    for head in range(0, rows, head_dim):
        for unit in range(head_dim):
            row = head + unit % 2 * half + unit // 2
            yield data[row * width:(row + 1) * width]


def floats(data):
    """bf16 as f32."""
    return b"".join(b"\0\0" + data[i:i + 2] for i in range(0, len(data), 2))


def convert(directory, path):
    """Writes `path`; returns its size in bytes."""
    config = json.loads(Path(directory, "config.json").read_text())
    if config["architectures"] != ["LlamaForCausalLM"]:
        raise RuntimeError(f"{directory}: {config['architectures']}, expected LlamaForCausalLM")
    with open(Path(directory, "model.safetensors"), "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        (header_bytes,) = struct.unpack("<Q", mapped[:8])
        header = json.loads(mapped[8:8 + header_bytes])
        wanted = [tensor(name, info, mapped, 8 + header_bytes, config["head_dim"]) for name, info in header.items() if name != "__metadata__"]
        return write_file(path, describe(config, "bf16", None), wanted)


def tensor(name, info, mapped, base, head_dim):
    """What write_file takes: vectors become f32."""
    if info["dtype"] != "BF16":
        raise RuntimeError(f"{name} is {info['dtype']}, expected BF16")
    begin, end = (base + offset for offset in info["data_offsets"])
    paired = name.endswith(("q_proj.weight", "k_proj.weight"))

    def write(file):
        data = mapped[begin:end]
        if len(info["shape"]) == 1:
            file.write(floats(data))
        elif paired:
            file.writelines(paired_rows(data, info["shape"][0], head_dim))
        else:
            file.write(data)

    return gguf_name(name), info["shape"][::-1], "f32" if len(info["shape"]) == 1 else "bf16", write
