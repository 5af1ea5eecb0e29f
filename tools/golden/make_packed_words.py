#!/usr/bin/env python3
"""Writes tests/golden/packed_words/*.safetensors: single linears in the layouts of GPTQ and AutoAWQ, packed and dequantized by
the libraries' own torch code (GPTQModel's TorchLinear, AutoAWQ's WQLinear_GEMM).

A file holds `stored.*` as the library saves the module "stored", `dequantized` [out, in] in float16 as its forward multiplies
it, and the description (quantize_config.json) that belongs to it.
"""

import importlib
import json
import os
import sys
import types
from pathlib import Path

os.environ["GPTQMODEL_DISABLE_PACK_EXT"] = "1"  # its C++ twin, which is compiled at the first use
import torch
from gptqmodel import __version__ as gptqmodel_version
from gptqmodel.nn_modules.qlinear.torch import TorchLinear
from gptqmodel.utils.model import convert_gptq_v2_to_v1_format_module
from safetensors.torch import save_file
from torch import nn

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "packed_words"
AWQ_VERSION = "0.2.9"


def import_awq():
    """AutoAWQ's linear and its packing without the packages around them, which import models that transformers no longer has."""
    (root,) = [Path(p) for p in sys.path if (Path(p) / "awq" / "utils" / "packing_utils.py").exists()]
    for name in ("awq", "awq.utils", "awq.modules", "awq.modules.linear"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = [str(root / name.replace(".", "/"))]
    return importlib.import_module("awq.modules.linear.gemm"), importlib.import_module("awq.utils.packing_utils")


def quantization(weight, bits: int, group: int, symmetric: bool, order=None):
    """-> scales, zeros [out, groups] and the group of each input. The first row of a group that is all positive, and a zero
    row, give the zero points 0 and the smallest scale."""
    out, inputs = weight.shape
    size = inputs if group == -1 else group
    index = torch.arange(inputs) // size
    if order is not None:
        grouped = torch.empty_like(index)
        grouped[order] = index
        index = grouped
    groups = inputs // size
    top = 2**bits - 1
    low = torch.stack([weight[:, index == g].amin(1) for g in range(groups)], 1).clamp(max=0)
    high = torch.stack([weight[:, index == g].amax(1) for g in range(groups)], 1).clamp(min=0)
    if symmetric:
        high = torch.maximum(-low, high)
        low = -high
    scales = ((high - low) / top).clamp(min=2.0**-12).half().float()
    zeros = torch.full_like(scales, (top + 1) // 2) if symmetric else (-low / scales).round().clamp(0, top)
    return scales, zeros, index


def linear_of(weight, bias):
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    linear.weight.data = weight.clone()
    if bias is not None:
        linear.bias.data = bias.clone()
    return linear


def gptq(weight, bits, group, symmetric, ordered=False, version=1, bias=None):
    """-> what is saved, dequantized, the description."""
    out, inputs = weight.shape
    order = torch.randperm(inputs, generator=torch.Generator().manual_seed(5)) if ordered else None
    scales, zeros, index = quantization(weight, bits, group, symmetric, order)
    layer = TorchLinear(bits=bits, group_size=group, sym=symmetric, desc_act=ordered, in_features=inputs,
                        out_features=out, bias=bias is not None, pack_dtype=torch.int32, adapter=None)
    layer.pack_block(linear_of(weight, bias), scales, zeros, index.to(torch.int32))
    dequantized = layer.dequantize_weight().T.contiguous()
    if version == 1:
        convert_gptq_v2_to_v1_format_module(layer, SimpleConfig(bits))
    names = ["qweight", "qzeros", "scales", "g_idx"] + (["bias"] if bias is not None else [])
    config = {"bits": bits, "group_size": group, "sym": symmetric, "desc_act": ordered, "quant_method": "gptq",
              "checkpoint_format": "gptq" if version == 1 else "gptq_v2"}
    return {n: getattr(layer, n) for n in names}, dequantized, config


class SimpleConfig:
    pack_dtype = torch.int32

    def __init__(self, bits):
        self.bits = bits


def awq(weight, group, bias=None):
    scales, zeros, _ = quantization(weight, 4, group, False)
    gemm, packing = import_awq()
    size = weight.shape[1] if group == -1 else group
    layer = gemm.WQLinear_GEMM.from_linear(linear_of(weight, bias), 4, size, scales=scales.T.contiguous(),
                                           zeros=zeros.T.contiguous())
    names = ["qweight", "qzeros", "scales"] + (["bias"] if bias is not None else [])
    dequantized = packing.dequantize_gemm(layer.qweight, layer.qzeros, layer.scales, 4, size).T.contiguous()
    return {n: getattr(layer, n) for n in names}, dequantized, {"quant_method": "awq", "bits": 4, "group_size": group,
                                                               "zero_point": True, "version": "gemm"}


def cases(weight, bias):
    for version in (1, 2):
        yield f"gptq-w4-g32-v{version}", gptq(weight, 4, 32, True, version=version)
        yield f"gptq-w4-g32-asym-v{version}", gptq(weight, 4, 32, False, version=version, bias=bias)
        yield f"gptq-w4-g32-asym-order-v{version}", gptq(weight, 4, 32, False, ordered=True, version=version)
        yield f"gptq-w8-channel-asym-v{version}", gptq(weight, 8, -1, False, version=version)
        yield f"gptq-w8-g32-v{version}", gptq(weight, 8, 32, True, version=version)
        yield f"gptq-w2-g32-asym-v{version}", gptq(weight, 2, 32, False, version=version)
    yield "gptq-w3-g32-asym-v2", gptq(weight, 3, 32, False, version=2)
    yield "gptq-w4-channel-order-v1", gptq(weight, 4, -1, True, ordered=True)
    yield "awq-g32", awq(weight, 32)
    yield "awq-channel", awq(weight, -1, bias)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(11)
    weight = 0.05 * torch.randn(64, 96, generator=generator)
    weight[:, :32] = weight[:, :32].abs()  # zero points of 0, which version 1 borrows for
    weight[7] = 0
    bias = torch.randn(64, generator=generator).half().float()
    for name, (saved, dequantized, config) in cases(weight, bias):
        tensors = {f"stored.{k}": v.detach().contiguous() for k, v in saved.items()} | {"dequantized": dequantized.half()}
        library = f"autoawq {AWQ_VERSION}" if name.startswith("awq") else f"gptqmodel {gptqmodel_version}"
        # One key: the library writes several in any order.
        save_file(tensors, OUT / f"{name}.safetensors", {"golden": json.dumps({"library": library, "description": config})})
        print(name, {k: list(v.shape) for k, v in saved.items()})


if __name__ == "__main__":
    main()
