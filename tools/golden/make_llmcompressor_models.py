#!/usr/bin/env python3
"""Writes tests/golden/llmcompressor/NAME: tiny models that llmcompressor quantized, rotated and saved, as its users do.

Beside them golden.safetensors, the logits of the library's own model after it was saved: float32, weights decompressed by
compressed-tensors, its fake quantization of activations and its hooks for transforms; and golden_weights.json, a hash of
every decompressed weight. One thing is replaced: the format leaves the scale of a dynamic activation to the runtime, so it
is that of docs/numerics.md (and a token is a row, also in an expert, where the library takes all rows of a 2-D input
for one). --own-scales prints how far the library's rule is from it.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from compressed_tensors.quantization.lifecycle import forward as ct_forward
from compressed_tensors.quantization.quant_args import QuantizationStrategy
from datasets import Dataset
from llmcompressor import oneshot
from llmcompressor.modifiers.quantization import QuantizationModifier
from llmcompressor.modifiers.transform import QuIPModifier, SpinQuantModifier
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from transformers.utils import logging as hf_logging

from fnv1a import fnv1a

SOURCE = Path(__file__).resolve().parents[2] / "tests" / "golden" / "models"
OUT = SOURCE.parent / "llmcompressor"
LENGTHS = (1, 24)
library_scales = ct_forward.compute_dynamic_scales_and_zp


def runtime_scales(value, args, module, global_scale=None):
    """docs/numerics.md: int8 absmax / 127; int4 from both sides, so that all 16 codes are used."""
    if args.strategy == QuantizationStrategy.GROUP:
        value = value.unflatten(-1, (-1, args.group_size))
    keep = args.strategy != QuantizationStrategy.GROUP
    least, greatest = value.amin(-1, keepdim=keep), value.amax(-1, keepdim=keep)
    if args.num_bits == 8:
        scale = torch.maximum(greatest, -least) / 127
    else:
        scale = torch.maximum(greatest.clamp(min=0) / 7.49, -least.clamp(max=0) / 8.49)
    scale = torch.where(scale > 0, scale, 1)
    return scale, torch.zeros_like(scale, dtype=torch.int8)


def scheme(targets, bits, input_bits=None, group=None, symmetric=True, form=None):
    weights = QuantizationArgs(num_bits=bits, symmetric=symmetric, strategy="group" if group else "channel", group_size=group)
    inputs = QuantizationArgs(num_bits=input_bits, strategy="token", dynamic=True) if input_bits else None
    return QuantizationScheme(targets=targets, weights=weights, input_activations=inputs, format=form)


def quantize(*schemes, **more):
    groups = {f"group_{i}": entry for i, entry in enumerate(schemes)}
    return QuantizationModifier(config_groups=groups, ignore=["lm_head", "re:.*mlp.gate$"], **more)


ATTENTION, WIDE, DOWN = r"re:.*self_attn\.(q|k|v|o)_proj$", r"re:.*mlp\..*(gate|up)_proj$", r"re:.*down_proj$"
CASES = {  # name: source, recipe
    "qwen3-w8a8": ("qwen3", lambda: [QuantizationModifier(targets="Linear", scheme="W8A8", ignore=["lm_head"])]),
    "llama-w4a16-spinquant": ("llama-rope3", lambda: [
        SpinQuantModifier(rotations=["R1", "R2", "R3", "R4"], transform_type="hadamard", transform_block_size=4),
        quantize(scheme(["Linear"], 4, group=32, symmetric=False))]),
    "qwen3-w4a4-quip": ("qwen3", lambda: [
        QuIPModifier(rotations=["v", "u"], transform_type="random-hadamard", transform_block_size=32),
        quantize(scheme(["Linear"], 4, 4, group=32, form="pack-quantized"))]),
    "qwen3-moe-mixed": ("qwen3-moe-nonorm", lambda: [
        quantize(scheme([ATTENTION], 8, 8), scheme([WIDE], 4, 8, group=32), scheme([DOWN], 4, 4, form="pack-quantized"))]),
    "llama-w4a8-matrix": ("llama-rope3", lambda: [
        QuIPModifier(rotations=["v"], transform_type="random-matrix", transform_block_size=4),
        quantize(scheme(["Linear"], 4, 8))]),
    "llama-w8a16-cache": ("llama", lambda: [quantize(scheme(["Linear"], 8), kv_cache_scheme=QuantizationArgs(num_bits=8))]),
}


@torch.no_grad()
def logits_of(model, ids):
    return model(input_ids=ids[None]).logits[0].float()


def mean_kl(golden, other) -> float:
    a, b = golden.double().log_softmax(-1), other.double().log_softmax(-1)
    return ((a.exp() * (a - b)).sum(-1)).mean().item()


def weights_of(model) -> dict:
    weights = {}
    for name, module in sorted(model.named_modules()):
        if getattr(module, "quantization_scheme", None) is None or not hasattr(module, "weight"):
            continue
        values = module.weight.detach().float().contiguous()
        weights[name] = {"type": module.quantization_scheme.format, "shape": list(values.shape), "fnv1a": fnv1a(values.numpy().tobytes())}
    return weights


def calibration(source: Path):
    """For what the recipe wants of data: the scales of the KV cache."""
    ids = load_file(source / "golden.safetensors")["input_ids_2"].tolist()
    return Dataset.from_dict({"input_ids": [ids], "attention_mask": [[1] * len(ids)]})


def make(name: str) -> None:
    base, recipe = CASES[name]
    source, directory = SOURCE / base, OUT / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    torch.manual_seed(7)
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.bfloat16, attn_implementation="sdpa")
    data = {"dataset": calibration(source), "num_calibration_samples": 1} if name.endswith("cache") else {}
    oneshot(model=model, recipe=recipe(), **data)
    model.save_pretrained(directory, save_compressed=True)
    (directory / "recipe.yaml").unlink(missing_ok=True)
    model = model.float().eval()  # scales too: the products of decompression are not rounded
    originals, result = load_file(source / "golden.safetensors"), {}
    ids_of = [originals["input_ids_2"][:length].clone() for length in LENGTHS]
    ct_forward.compute_dynamic_scales_and_zp = runtime_scales
    for i, ids in enumerate(ids_of):
        result |= {f"input_ids_{i}": ids, f"logits_{i}": logits_of(model, ids).contiguous()}
        moved = (result[f"logits_{i}"] - originals["logits_2"][: len(ids)]).abs().max() / originals["logits_2"].abs().max()
        print(f"{name}: {len(ids)} tokens: moves logits by {moved:.3f} of the largest")
    save_file(result, directory / "golden.safetensors")
    (directory / "golden_weights.json").write_text(json.dumps(weights_of(model), indent=1) + "\n")
    ct_forward.compute_dynamic_scales_and_zp = library_scales
    if "--own-scales" in sys.argv:
        print(f"{name}: the library's own scales: mean KL {mean_kl(result['logits_1'], logits_of(model, ids_of[1])):.2e}")
    for extra in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        shutil.copyfile(source / extra, directory / extra)
    for path in directory.iterdir():
        path.chmod(0o644)


if __name__ == "__main__":
    hf_logging.disable_progress_bar()
    for case in [argument for argument in sys.argv[1:] if argument in CASES] or CASES:
        make(case)
