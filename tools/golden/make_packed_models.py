#!/usr/bin/env python3
"""Writes tests/golden/packed_models/NAME: tiny models whose linears GPTQModel and AutoAWQ packed (make_packed_words.py), with the
logits of transformers' float32 forward over the libraries' dequantized weights.

  qwen3-gptq       as AutoGPTQ left directories: a quantize_config.json, a weight file of another name, version 1, act-order, a
                   bias of zeros beside every linear; the 8 bits of down_proj are said by `dynamic`, as GPTQModel does
  llama-rope3-awq  quantization_config in config.json; o_proj in modules_to_not_convert
"""

import json
import shutil
from pathlib import Path

import make_packed_words as words
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

SOURCE = Path(__file__).resolve().parents[2] / "tests" / "golden" / "models"
OUT = SOURCE.parent / "packed_models"
LENGTHS = (1, 17, 40)


def gptq_linear(path, weight):
    bits = 8 if path.endswith("down_proj") else 4
    saved, dequantized, _ = words.gptq(weight, bits, 32, bits == 8, ordered=bits == 4, version=1)
    return saved | {"bias": torch.zeros(len(weight), dtype=torch.float16)}, dequantized


def awq_linear(path, weight):
    return (None, None) if path.endswith("o_proj") else words.awq(weight, 32)[:2]


GPTQ = {"bits": 4, "group_size": 32, "damp_percent": 0.01, "desc_act": True, "static_groups": False, "sym": False,
        "true_sequential": True, "model_name_or_path": None, "model_file_base_name": "gptq_model-4bit-32g",
        "dynamic": {"+:.*down_proj": {"bits": 8, "sym": True, "desc_act": False}}}
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 32, "zero_point": True, "version": "gemm",
       "modules_to_not_convert": ["o_proj"]}


def quantize(source: Path, make):
    tensors, dequantized = {}, {}
    for name, tensor in load_file(source / "model.safetensors").items():
        path = name.removesuffix(".weight")
        saved, values = make(path, tensor.float()) if path.endswith("_proj") else (None, None)
        if saved is None:
            tensors[name] = tensor
            continue
        tensors |= {f"{path}.{k}": v.detach().contiguous() for k, v in saved.items()}
        dequantized[name] = values.half().float()
    return tensors, dequantized


@torch.no_grad()
def golden(source: Path, dequantized: dict) -> dict:
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval()
    for name, values in dequantized.items():
        model.get_parameter(name).copy_(values)
    originals, result = load_file(source / "golden.safetensors"), {}
    for i, length in enumerate(LENGTHS):
        ids = originals[f"input_ids_{i}"][:length].clone()
        result |= {f"input_ids_{i}": ids, f"logits_{i}": model(input_ids=ids[None]).logits[0].contiguous()}
        before = originals[f"logits_{i}"][:length]
        print(f"  {length} tokens: moves logits by {(result[f'logits_{i}'] - before).abs().max() / before.abs().max():.3f} of the largest")
    return result


def make(name: str, base: str, linear, file: str) -> None:
    source, directory = SOURCE / base, OUT / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    print(name)
    tensors, dequantized = quantize(source, linear)
    save_file(tensors, directory / file, {"format": "pt"})
    save_file(golden(source, dequantized), directory / "golden.safetensors")
    config = json.loads((source / "config.json").read_text())
    if linear is gptq_linear:
        (directory / "quantize_config.json").write_text(json.dumps(GPTQ, indent=2) + "\n")
    else:
        config["quantization_config"] = AWQ
    (directory / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    for extra in ("generation_config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / extra, directory / extra)
    for path in directory.iterdir():
        path.chmod(0o644)


if __name__ == "__main__":
    make("qwen3-gptq", "qwen3", gptq_linear, "gptq_model-4bit-32g.safetensors")
    make("llama-rope3-awq", "llama-rope3", awq_linear, "model.safetensors")
