"""The fake-quant forward of a ModelSlim checkpoint in transformers, from the definitions of the NPU operators and not from
msmodelslim's own simulation (whose dynamic int8 takes its range over the tokens instead of the columns):

  npu_dynamic_quant    s = absmax(row) / 127 or / 7, q = round half even(x / s)
  npu_quantize         q = clamp(round half even(x / input_scale + input_offset), -128, 127)
  npu_kronecker_quant  x'' = left^T (x right), s = absmax / (7 / clip_ratio), q = clamp(round half even(x'' / s), -8, 7)
  npu_quant_matmul     (q W + quant_bias) * deq_scale, or (q W) * scale * s, in float32, and bias after; the sum is exact
  C8                   q = clamp(round half even(x / scale + offset), -128, 127) of what the cache is given, (q - offset) * scale of it read

Everything is read back from the saved files, so that what is tested is what a reader sees.
"""

import json
import re
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn
from transformers import DynamicCache


class Files:
    """Description and tensors of a directory, whatever its files are called."""

    def __init__(self, directory: Path):
        (description,) = directory.glob("quant_model_description*.json")
        self.types = {k: v for k, v in json.loads(description.read_text()).items() if "." in k}
        self.tensors = {}
        for path in sorted(directory.glob("quant_model_weight*.safetensors")):
            self.tensors |= load_file(path)

    def linears(self):
        """Dotted path in the model -> prefix of its tensors, for all that are quantized."""
        names = [n.removesuffix(".weight") for n, t in self.types.items() if n.endswith(".weight") and t != "FLOAT"]
        return {name.removesuffix(".linear"): name for name in names}


def unpack_rows(pairs: torch.Tensor) -> torch.Tensor:
    """[N/2, K] -> [N, K]: low nibble = even row, two's complement."""
    low, high = (pairs << 4) >> 4, pairs >> 4
    return torch.stack((low, high), 1).reshape(-1, pairs.shape[1])


def unpack_columns(pairs: torch.Tensor) -> torch.Tensor:
    return unpack_rows(pairs.T.contiguous()).T.contiguous()


def codes_of(files: Files, base: str) -> torch.Tensor:
    weight, scale = files.tensors[base + ".weight"], files.tensors.get(base + ".weight_scale")
    kind = files.types[base + ".weight"]
    if kind.startswith("W4") and 2 * weight.shape[0] == scale.shape[0]:
        return unpack_rows(weight)
    return unpack_columns(weight) if kind == "W4A16" else weight


def static_scale(files: Files, base: str) -> torch.Tensor:
    """deq_scale of W8A8 in float32: bf16 models store it so, others its bits widened to int64."""
    deq = files.tensors[base + ".deq_scale"]
    return deq.to(torch.int32).view(torch.float32) if deq.dtype == torch.int64 else deq


def dequantized(files: Files, base: str) -> torch.Tensor:
    codes = codes_of(files, base).float()
    if files.types[base + ".weight"] == "W8A8":
        return codes * (static_scale(files, base) / files.tensors[base + ".input_scale"])[:, None]
    scale, offset = files.tensors[base + ".weight_scale"], files.tensors[base + ".weight_offset"]
    repeat = codes.shape[1] // scale.shape[1]
    return (codes - offset.repeat_interleave(repeat, 1)) * scale.repeat_interleave(repeat, 1)


class OperatorLinear(nn.Module):
    def __init__(self, files: Files, path: str, base: str):
        super().__init__()
        self.kind = files.types[base + ".weight"]
        self.tensor = lambda local: files.tensors.get(f"{base}.{local}")
        self.mul_scale = files.tensors.get(f"{path}.div.mul_scale")
        self.codes, self.dequantized = codes_of(files, base).double(), dequantized(files, base)
        self.deq_scale = static_scale(files, base) if self.tensor("deq_scale") is not None else None
        self.bias = self.tensor("bias")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.mul_scale is not None:
            x = x * self.mul_scale.float()
        if self.kind.endswith("A16"):
            return F.linear(x, self.dequantized, self.bias)
        if self.kind == "W8A8":
            codes = (x / self.tensor("input_scale") + self.tensor("input_offset")).round().clamp(-128, 127)
            return ((codes.double() @ self.codes.T + self.tensor("quant_bias")) * self.deq_scale).float()
        divisor, low, high = (7.0, -7, 7) if "A4" in self.kind else (127.0, -127, 127)
        if "FLATQUANT" in self.kind:
            left, right = self.tensor("left_trans").float(), self.tensor("right_trans").float()
            shape = x.shape
            x = (left.T @ (x.reshape(-1, len(left), len(right)) @ right)).reshape(shape)
            divisor, low = divisor / self.tensor("clip_ratio"), -8
        scale = x.abs().amax(-1, keepdim=True) / divisor
        codes = torch.where(scale > 0, x / scale, 0).round().clamp(low, high)
        y = (codes.double() @ self.codes.T).float() * scale * self.tensor("weight_scale").flatten()
        return y if self.bias is None else y + self.bias


class OperatorExperts(nn.Module):
    """Qwen3MoeExperts over single linears."""

    def __init__(self, count: int, make):
        super().__init__()
        parts = ("gate_proj", "up_proj", "down_proj")
        self.experts = nn.ModuleList(nn.ModuleDict({part: make(f"{e}.{part}") for part in parts}) for e in range(count))

    def forward(self, hidden, top_k_index, top_k_weights):
        result = torch.zeros_like(hidden)
        for e, expert in enumerate(self.experts):
            position, token = torch.where((top_k_index == e).T)
            x = hidden[token]
            y = expert["down_proj"](F.silu(expert["gate_proj"](x)) * expert["up_proj"](x))
            result.index_add_(0, token, y * top_k_weights[token, position, None])
        return result


def cache_side(files: Files, layer: int, projection: str, x: torch.Tensor) -> torch.Tensor:
    """[batch, heads, tokens, dim] as an int8 cache gives it back; scales are of heads * dim."""
    prefix = f"model.layers.{layer}.self_attn.{projection}.kv_cache_"
    scale, offset = (files.tensors[prefix + what].float().reshape(1, x.shape[1], 1, x.shape[3]) for what in ("scale", "offset"))
    return ((x / scale + offset).round().clamp(-128, 127) - offset) * scale


def install_cache(model: nn.Module, files: Files) -> None:
    """Every cache that the model makes keeps codes."""
    layers = {int(name.split(".")[2]) for name in files.tensors if name.endswith(".kv_cache_scale")}
    plain = DynamicCache.update

    def update(self, key_states, value_states, layer_idx, *more, **named):
        if layer_idx in layers:
            key_states = cache_side(files, layer_idx, "k_proj", key_states)
            value_states = cache_side(files, layer_idx, "v_proj", value_states)
        return plain(self, key_states, value_states, layer_idx, *more, **named)

    def forward(*args, **named):
        DynamicCache.update = update
        try:
            return model_forward(*args, **named)
        finally:
            DynamicCache.update = plain

    model_forward, model.forward = model.forward, forward


def install(model: nn.Module, directory: Path) -> Files:
    """Replaces the quantized linears of a float32 model, and adds the biases of norms."""
    files = Files(directory)
    experts = {}
    for path, base in files.linears().items():
        match = re.fullmatch(r"(.*\.experts)\.(\d+\.\w+)", path)
        if match:
            experts.setdefault(match[1], {})[match[2]] = (files, path, base)
        else:
            model.set_submodule(path, OperatorLinear(files, path, base))
    for path, parts in experts.items():
        model.set_submodule(path, OperatorExperts(len(parts) // 3, lambda part, parts=parts: OperatorLinear(*parts[part])))
    for name, tensor in files.tensors.items():
        if name.endswith("norm.bias"):
            model.get_submodule(name.removesuffix(".bias")).register_forward_hook(lambda m, i, y, b=tensor.float(): y + b)
    install_cache(model, files)
    return files
