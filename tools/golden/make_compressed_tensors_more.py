#!/usr/bin/env python3
"""Writes tests/golden/quant_more/*.safetensors: the formats and strategies of compressed-tensors beyond those of
make_compressed_tensors_goldens.py, compressed and dequantized by the library itself.

A file holds `stored.*` as the library would save the module "stored", `dequantized` as the library decompresses it, and
its QuantizationScheme. The packing of 0.17 (words with unused bits) is made here, since the library no longer writes it.
"""

import json
from pathlib import Path

import torch
from compressed_tensors import __version__ as library_version
from compressed_tensors.compressors.base import BaseCompressor
from compressed_tensors.compressors.pack_quantized.helpers import unpack_from_int32
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from compressed_tensors.quantization.quant_scheme import preset_name_to_scheme
from compressed_tensors.quantization.utils import calculate_qparams, generate_gparam
from safetensors.torch import save_file

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "quant_more"
BF16 = torch.bfloat16


def legacy_words(words: torch.Tensor, bits: int, shape, dim: int) -> torch.Tensor:
    """Repacks as 0.17 did: floor(32 / bits) codes a word."""
    codes = unpack_from_int32(words, bits, torch.Size(shape), packed_dim=dim).to(torch.int64) + (1 << (bits - 1))
    codes = codes.T if dim == 0 else codes
    per_word = 32 // bits
    padded = torch.nn.functional.pad(codes, (0, -codes.shape[1] % per_word)).unflatten(1, (-1, per_word))
    packed = (padded << (torch.arange(per_word) * bits)).sum(-1)
    packed = torch.where(packed >= 1 << 31, packed - (1 << 32), packed).to(torch.int32)
    return (packed.T if dim == 0 else packed).contiguous()


def blocks_of(weight: torch.Tensor, args: QuantizationArgs) -> torch.Tensor:
    """-> [scale rows, scale columns, numbers of a block]."""
    strategy = args.strategy
    if strategy == "tensor":
        return weight.reshape(1, 1, -1)
    if strategy == "channel":
        return weight.unsqueeze(1)
    if strategy in ("group", "tensor_group"):
        return weight.unflatten(1, (-1, args.group_size))
    rows, columns = args.block_structure
    padded = torch.nn.functional.pad(weight, (0, -weight.shape[1] % columns, 0, -weight.shape[0] % rows))
    return padded.unflatten(1, (-1, columns)).unflatten(0, (-1, rows)).transpose(1, 2).flatten(2)


def compress(weight, scheme, fmt, order=None):
    args = scheme.weights
    state = {"weight": weight}
    if order is not None:  # order[k]: the column at place k; its group is k / size
        index = torch.empty(len(order), dtype=torch.int32)
        index[order] = (torch.arange(len(order)) // args.group_size).to(torch.int32)
        state["weight_g_idx"] = index
        blocks = blocks_of(weight[:, order], args)
    else:
        blocks = blocks_of(weight, args)
    global_scale = None
    if args.strategy == "tensor_group":
        global_scale = generate_gparam(weight.amin().reshape(1), weight.amax().reshape(1))
        state["weight_global_scale"] = global_scale
    scale, zero = calculate_qparams(blocks.amin(-1), blocks.amax(-1), args, global_scale=global_scale)
    if args.strategy == "tensor":
        scale, zero = scale.reshape(1), zero.reshape(1)
    state |= {"weight_scale": scale, "weight_zero_point": zero}
    compressor = BaseCompressor.get_value_from_registry(fmt)
    stored = {k: v for k, v in compressor.compress(dict(state), scheme).items() if v is not None}
    return stored, compressor.decompress(dict(stored), scheme)["weight"]


def integer(bits, symmetric=True, strategy="group", group=32, **more):
    args = QuantizationArgs(num_bits=bits, symmetric=symmetric, strategy=strategy,
                            group_size=group if strategy == "group" else None, **more)
    return QuantizationScheme(targets=["Linear"], weights=args)


def cases():
    for bits in range(1, 9):
        yield f"w{bits}-pack", integer(bits), "pack-quantized", (5, 96), {}
        yield f"w{bits}-pack-asym", integer(bits, symmetric=False), "pack-quantized", (11, 64), {}
    for bits in (3, 5, 6, 7):
        yield f"w{bits}-pack-asym-0.17", integer(bits, symmetric=False), "pack-quantized", (43, 64), {"legacy": True}
    yield "w4-order", integer(4, actorder="group"), "pack-quantized", (6, 96), {"order": True}
    yield "w4-order-asym", integer(4, symmetric=False, actorder="group"), "pack-quantized", (6, 96), {"order": True}
    yield "w8-tensor", integer(8, strategy="tensor"), "naive-quantized", (5, 33), {}
    yield "w8-tensor-asym", integer(8, symmetric=False, strategy="tensor"), "int-quantized", (5, 33), {}
    yield "w3-naive-asym", integer(3, symmetric=False), "naive-quantized", (5, 64), {}
    presets = {"FP8": "float-quantized", "FP8_DYNAMIC": "float-quantized", "FP8_BLOCK": "float-quantized",
               "NVFP4": "nvfp4-pack-quantized", "NVFP4A16": "nvfp4-pack-quantized",
               "MXFP4": "mxfp4-pack-quantized", "MXFP8": "mxfp8-quantized"}
    for name, fmt in presets.items():
        scheme = preset_name_to_scheme(name, ["Linear"])
        if name == "FP8_BLOCK":  # the library infers blocks from the shapes when it decompresses: they must be whole
            scheme.weights.block_structure = [16, 32]
        yield name.lower(), scheme, fmt, (48, 64) if name == "FP8_BLOCK" else (6, 64), {}


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for seed, (name, scheme, fmt, (rows, columns), options) in enumerate(cases()):
        random = torch.Generator().manual_seed(seed)
        weight = (torch.randn(rows, columns, generator=random) * 0.05).to(BF16)
        weight[1] *= 1e-3
        weight[2, columns // 2] = 3.0
        order = torch.randperm(columns, generator=random) if options.get("order") else None
        stored, values = compress(weight, scheme, fmt, order)
        bits = scheme.weights.num_bits
        if options.get("legacy"):
            zero_shape = (rows, stored["weight_scale"].shape[1])
            stored["weight_packed"] = legacy_words(stored["weight_packed"], bits, (rows, columns), 1)
            stored["weight_zero_point"] = legacy_words(stored["weight_zero_point"], bits, zero_shape, 0)
        inputs = scheme.input_activations
        if inputs is not None and inputs.dynamic is False:
            stored["input_scale"] = torch.tensor([0.02], dtype=BF16)
        if name == "nvfp4":
            stored["input_global_scale"] = torch.tensor([300.0])
        tensors = {f"stored.{k}": v for k, v in stored.items()} | {"dequantized": values}
        path = OUT / f"{name}.safetensors"
        save_file({k: v.contiguous() for k, v in tensors.items()}, path, metadata={
            "case": json.dumps({"format": fmt, "shape": [rows, columns]}),
            "scheme": scheme.model_dump_json(exclude_none=True), "compressed_tensors": library_version})
        path.chmod(0o644)
        print(path.name, {k: (str(v.dtype).removeprefix("torch."), tuple(v.shape)) for k, v in tensors.items()})


if __name__ == "__main__":
    main()
