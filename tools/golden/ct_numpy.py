"""compressed-tensors in plain numpy, written from the format's definition and not from the library: the second opinion.

Only what Tessera writes and reads: integer weights of 4 or 8 bits, per channel or per group, int-quantized and
pack-quantized, symmetric or with zero points. bfloat16 travels as float32 holding bfloat16 values.
"""

import json
import struct
from pathlib import Path

import numpy as np

DTYPES = {"F32": np.float32, "F16": np.float16, "I8": np.int8, "U8": np.uint8, "I32": np.int32, "I64": np.int64}
ZERO_SCALE = {"BF16": 2.0**-7, "F16": 2.0**-10, "F32": 2.0**-23}


def to_bf16(x: np.ndarray) -> np.ndarray:
    """Rounds float32 to the nearest bfloat16, ties to even, and gives it back as float32."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return rounded.view(np.float32)


def rounder(dtype: str):
    return {"BF16": to_bf16, "F16": lambda x: np.float16(x).astype(np.float32), "F32": np.float32}[dtype]


class SafeTensors:
    """A safetensors file; `load(name)` gives (array, dtype name). BF16 and F16 come as float32."""

    def __init__(self, path: Path):
        self.path = path
        with open(path, "rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            self.header = json.loads(file.read(size))
        self.metadata = self.header.pop("__metadata__", {})
        self.start = 8 + size

    def load(self, name: str):
        entry = self.header[name]
        begin, end = entry["data_offsets"]
        with open(self.path, "rb") as file:
            file.seek(self.start + begin)
            raw = file.read(end - begin)
        if entry["dtype"] == "BF16":
            array = (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
        else:
            array = np.frombuffer(raw, DTYPES[entry["dtype"]])
            array = array.astype(np.float32) if entry["dtype"] == "F16" else array
        return array.reshape(entry["shape"]), entry["dtype"]


def unpack_rows(words: np.ndarray, bits: int, columns: int) -> np.ndarray:
    """[R, ceil(columns*bits/32)] int32 -> int8 [R, columns]: little-endian bit stream of code + 2^(bits-1)."""
    stream = np.unpackbits(np.ascontiguousarray(words, "<i4").view(np.uint8), axis=1, bitorder="little")
    values = stream[:, : columns * bits].reshape(len(words), columns, bits)
    codes = (values * (1 << np.arange(bits))).sum(-1) - (1 << (bits - 1))
    padding = stream[:, columns * bits:]
    assert not padding.any(), "padding bits are not zero"
    return codes.astype(np.int8)


def decode(tensors: dict, bits: int):
    """Local names (weight | weight_packed, weight_scale, ...) -> {(array, dtype)} -> codes I8, zero points or None, values.

    values = round((codes - zero point) * scale) to the scale's dtype, as float32.
    """
    scale, scale_dtype = tensors["weight_scale"]
    zero_point = None
    if "weight_packed" in tensors:
        rows, columns = (int(n) for n in tensors["weight_shape"][0])
        codes = unpack_rows(tensors["weight_packed"][0], bits, columns)
        if "weight_zero_point" in tensors:
            zero_point = unpack_rows(tensors["weight_zero_point"][0].T, bits, rows).T
    else:
        codes, dtype = tensors["weight"]
        assert dtype == "I8", dtype
        rows, columns = codes.shape
        if "weight_zero_point" in tensors:
            zero_point = tensors["weight_zero_point"][0]
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    assert codes.shape == (rows, columns) and codes.min() >= low and codes.max() <= high, "codes out of range"
    assert scale.shape[0] == rows and columns % scale.shape[1] == 0, (scale.shape, codes.shape)
    assert np.isfinite(scale).all() and (scale > 0).all(), "scales must be finite and positive"
    repeat = columns // scale.shape[1]
    wide = codes.astype(np.float32)
    if zero_point is not None:
        wide = wide - np.repeat(zero_point.astype(np.float32), repeat, axis=1)
    return codes, zero_point, rounder(scale_dtype)(wide * np.repeat(scale, repeat, axis=1))


def quantize(weight: np.ndarray, bits: int, group: int | None, symmetric: bool, arithmetic: str, scale_dtype: str):
    """Round to nearest -> (codes, scale, zero point or None). Every step is rounded to `arithmetic` (BF16 or F32), the
    scale to `scale_dtype` before the codes are computed with it."""
    step, store = rounder(arithmetic), rounder(scale_dtype)
    rows, columns = weight.shape
    grouped = weight.reshape(rows, -1, group or columns)
    low, high = np.minimum(grouped.min(-1), 0), np.maximum(grouped.max(-1), 0)
    qmin, qmax = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    span = np.float32(qmax - qmin)
    if symmetric:
        scale = step(np.maximum(-low, high) / (span / np.float32(2)))
    else:
        scale = step(step(high - low) / span)
        with np.errstate(invalid="ignore", divide="ignore"):
            zero_point = np.rint(np.clip(step(qmin - step(low / scale)), qmin, qmax))
    scale = store(np.where(scale == 0, np.float32(ZERO_SCALE[arithmetic]), scale))
    scaled = step(grouped / scale[..., None])
    if not symmetric:
        zero_point = np.where(scale == ZERO_SCALE[arithmetic], 0, zero_point)
        scaled = step(scaled + zero_point[..., None].astype(np.float32))
    codes = np.rint(np.clip(scaled, qmin, qmax)).reshape(rows, columns)
    return codes.astype(np.int8), scale, None if symmetric else zero_point.astype(np.int8)
