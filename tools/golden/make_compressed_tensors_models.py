#!/usr/bin/env python3
"""Writes tests/golden/quant_models/NAME: tiny models that the Python library compressed-tensors itself quantized and saved.

They are what a checkpoint from elsewhere looks like: the library's config.json, its file layout, its BF16 arithmetic.
Beside them golden.safetensors: logits in float32 with the dequantized weights and, in every quantized Linear, activations
rounded as the runtime does (per token, absmax/127, half to even) where they are int8, left alone where they are int4.
"""

import json
import shutil
from pathlib import Path

import torch
from compressed_tensors.compressors.model_compressors.model_compressor import ModelCompressor
from compressed_tensors.quantization import QuantizationConfig, apply_quantization_config
from compressed_tensors.quantization.utils import calculate_qparams
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM
from transformers.utils import logging as hf_logging

import ct_numpy
from check_compressed_tensors import Checkpoint

SOURCE = Path(__file__).resolve().parents[2] / "tests" / "golden" / "models"
OUT = SOURCE.parent / "quant_models"


def group(bits, targets, form, group_size=None):
    weights = {"num_bits": bits, "type": "int", "symmetric": True, "strategy": "group" if group_size else "channel", "group_size": group_size}
    inputs = {"num_bits": bits, "type": "int", "symmetric": True, "strategy": "token", "dynamic": True}
    return {"targets": targets, "weights": weights, "input_activations": inputs, "format": form}


W8A8 = {"group_0": group(8, ["Linear"], "int-quantized")}
W4A4 = {"group_0": group(4, ["Linear"], "pack-quantized", 32)}
MIXED = {"group_0": group(4, [r"re:.*(q|k|v|gate|up)_proj$"], "pack-quantized"),
         "group_1": group(8, [r"re:.*(o|down)_proj$"], "int-quantized")}
CASES = {"qwen3-w8a8": ("qwen3", W8A8), "qwen3-w4a4-g32": ("qwen3", W4A4), "llama-rope3-w4a4-w8a8": ("llama-rope3", MIXED)}


def quantized_modules(model):
    return [(n, m) for n, m in model.named_modules() if getattr(m, "quantization_scheme", None) is not None]


def set_scales(model) -> None:
    """Round to nearest: scale of every row or group from its least and greatest weight, by the library's formula."""
    for _, module in quantized_modules(model):
        args, weight = module.quantization_scheme.weights, module.weight.data
        grouped = weight.unflatten(-1, (-1, args.group_size or weight.shape[1]))
        scale, zero_point = calculate_qparams(grouped.amin(-1), grouped.amax(-1), args)
        module.weight_scale.data.copy_(scale)
        module.weight_zero_point.data.copy_(zero_point)


def exact_weight(stored: Checkpoint, name: str):
    """codes * scale in float32: what an integer kernel uses, not the library's product rounded to BF16."""
    arrays = {local: stored.numpy(f"{name}.{local}") for local in stored.modules()[name]}
    arrays["weight_scale"] = (arrays["weight_scale"][0], "F32")
    bits = 4 if "weight_packed" in arrays else 8
    return ct_numpy.decode(arrays, bits)[2]


def round_activations(module, inputs):
    x = inputs[0]
    scale = x.abs().amax(-1, keepdim=True) / 127
    return (torch.where(scale > 0, (x / scale).round().clamp(-128, 127), 0) * scale,)


@torch.no_grad()
def golden(source: Path, directory: Path, bits_of_inputs: dict[str, int]) -> dict:
    stored = Checkpoint(directory)
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval()
    for name, module in model.named_modules():
        if name in bits_of_inputs:
            module.weight.data.copy_(torch.from_numpy(exact_weight(stored, name)))
            if bits_of_inputs[name] == 8:
                module.register_forward_pre_hook(round_activations)
    result = {}
    with safe_open(source / "golden.safetensors", "pt") as file:
        for i in range(3):
            ids = file.get_tensor(f"input_ids_{i}")
            result |= {f"input_ids_{i}": ids, f"logits_{i}": model(input_ids=ids[None]).logits[0].contiguous()}
            drift = (result[f"logits_{i}"] - file.get_tensor(f"logits_{i}")).abs().max() / file.get_tensor(f"logits_{i}").abs().max()
            print(f"  {len(ids)} tokens: quantization moves logits by {drift:.3f} of the largest")
    return result


def make(name: str, base: str, groups: dict) -> None:
    source, directory = SOURCE / base, OUT / name
    shutil.rmtree(directory, ignore_errors=True)
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.bfloat16)
    config = QuantizationConfig.model_validate({"config_groups": groups, "ignore": ["lm_head"], "quantization_status": "frozen"})
    apply_quantization_config(model, config)
    set_scales(model)
    bits = {n: m.quantization_scheme.input_activations.num_bits for n, m in quantized_modules(model)}
    compressor = ModelCompressor.from_pretrained_model(model)
    compressor.compress_model(model)
    model.save_pretrained(directory)
    compressor.update_config(directory)
    for extra in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        shutil.copyfile(source / extra, directory / extra)
    print(f"{name}: {len(bits)} modules, {json.loads((directory / 'config.json').read_text())['quantization_config']['format']}")
    tensors = golden(source, directory, bits)
    save_file(tensors, directory / "golden.safetensors")
    for path in directory.iterdir():
        path.chmod(0o644)


def main() -> None:
    hf_logging.disable_progress_bar()
    for name, (base, groups) in CASES.items():
        make(name, base, groups)


if __name__ == "__main__":
    main()
