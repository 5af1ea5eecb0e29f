#!/usr/bin/env python3
"""Writes tests/golden/quant/*.safetensors: small weights quantized by the Python library compressed-tensors itself.

Every case is also computed by ct_numpy.py and must agree bit for bit, which proves the formulas that Tessera follows.
See tests/golden/README.md for what is in a file.
"""

import json
from pathlib import Path

import numpy as np
import torch
from compressed_tensors import __version__ as library_version
from compressed_tensors.compressors.base import BaseCompressor
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from compressed_tensors.quantization.lifecycle.forward import quantize
from compressed_tensors.quantization.utils import calculate_qparams
from safetensors.torch import save_file

import ct_numpy

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "quant"
TORCH = {"BF16": torch.bfloat16, "F32": torch.float32}


def sample_weight(rows: int, columns: int, seed: int) -> torch.Tensor:
    """bfloat16 with the rows that go wrong easily: zeros, exact halves, one outlier, tiny and huge magnitudes."""
    weight = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed)) * 0.05
    halves = torch.arange(columns) % 32 - 15.5
    weight[0] = halves.where(halves.abs() <= 7.5, torch.tensor(0.5))
    weight[0, ::32] = 7.5  # the scale of every group of 32 is 1, all codes are ties
    weight[1] = 0
    weight[2] = -weight[2].abs()
    weight[3, columns // 2] = 4.0
    weight[4] *= 1e-6
    if rows > 5:
        weight[5] *= 1e6
    if rows > 6:
        weight[6] = -halves * 8.5
    return weight.to(torch.bfloat16)


def library_case(weight, bits, group, symmetric, fmt, arithmetic, scale_dtype):
    """-> (scheme, stored tensors, codes, dequantized), all by the library."""
    args = QuantizationArgs(num_bits=bits, type="int", symmetric=symmetric, group_size=group,
                            strategy="group" if group else "channel")
    inputs = QuantizationArgs(num_bits=bits, type="int", symmetric=True, dynamic=True, strategy="token")
    scheme = QuantizationScheme(targets=["Linear"], weights=args, input_activations=inputs)
    x = weight.to(TORCH[arithmetic])
    grouped = x.unflatten(-1, (-1, group or x.shape[1]))
    scale, zero_point = calculate_qparams(grouped.amin(-1), grouped.amax(-1), args)
    if not symmetric:  # an all-zero group gives 0/0, which the library leaves to the hardware: no golden for that
        zero_point = torch.where(grouped.abs().amax(-1) == 0, torch.zeros_like(zero_point), zero_point)
    scale = scale.to(TORCH[scale_dtype])
    state = {"weight": x, "weight_scale": scale, "weight_zero_point": zero_point}
    compressor = BaseCompressor.get_value_from_registry(fmt)
    stored = compressor.compress(dict(state), scheme)
    codes = quantize(x=x, scale=scale, zero_point=zero_point, args=args, dtype=torch.int8)
    dequantized = compressor.decompress(dict(stored), scheme)["weight"]
    return scheme, {k: v for k, v in stored.items() if v is not None}, codes, dequantized


def second_opinion(path: Path, bits, group, symmetric, arithmetic, scale_dtype) -> None:
    file = ct_numpy.SafeTensors(path)
    stored = {n.removeprefix("stored."): file.load(n) for n in file.header if n.startswith("stored.")}
    codes, zero_point, values = ct_numpy.decode(stored, bits)
    want = file.load("codes")[0]
    assert np.array_equal(codes, want), "decoded codes"
    assert np.array_equal(values, file.load("dequantized")[0]), "dequantized values"
    own_codes, own_scale, own_zp = ct_numpy.quantize(file.load("weight")[0], bits, group, symmetric, arithmetic, scale_dtype)
    assert np.array_equal(own_scale, stored["weight_scale"][0]), "scales"
    assert (own_zp is None and zero_point is None) or np.array_equal(own_zp, zero_point), "zero points"
    assert np.array_equal(own_codes, want), f"codes: {(own_codes != want).sum()} differ"


CASES = [  # name, rows, columns, bits, group, symmetric
    ("w8-channel", 13, 37, 8, None, True),
    ("w4-channel", 13, 37, 4, None, True),
    ("w4-group32", 7, 96, 4, 32, True),
    ("w8-group32", 5, 64, 8, 32, True),
    ("w4-group32-asym", 11, 96, 4, 32, False),
    ("w8-channel-asym", 9, 35, 8, None, False),
]


def main() -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    for seed, (name, rows, columns, bits, group, symmetric) in enumerate(CASES):
        weight = sample_weight(rows, columns, seed)
        for fmt in ("int-quantized", "pack-quantized"):
            for arithmetic, scale_dtype in (("BF16", "BF16"), ("F32", "BF16"), ("F32", "F32")):
                scheme, stored, codes, values = library_case(weight, bits, group, symmetric, fmt, arithmetic, scale_dtype)
                tensors = {"weight": weight, "codes": codes, "dequantized": values}
                tensors |= {f"stored.{k}": v for k, v in stored.items()}
                facts = {"num_bits": bits, "group_size": group or 0, "symmetric": symmetric, "format": fmt,
                         "arithmetic": arithmetic, "scale_dtype": scale_dtype}
                path = OUT / f"{name}.{fmt.split('-')[0]}.{arithmetic.lower()}-{scale_dtype.lower()}.safetensors"
                save_file({k: v.contiguous() for k, v in tensors.items()}, path, metadata={
                    "case": json.dumps(facts), "scheme": scheme.model_dump_json(exclude_none=True),
                    "compressed_tensors": library_version, "torch": torch.__version__})
                path.chmod(0o644)
                second_opinion(path, bits, group, symmetric, arithmetic, scale_dtype)
                print(f"{path.name}: {', '.join(sorted(stored))}; scale {tuple(stored['weight_scale'].shape)}")
    print("library and numpy agree bit for bit on every case")


if __name__ == "__main__":
    main()
