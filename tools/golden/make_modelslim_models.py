#!/usr/bin/env python3
"""Writes tests/golden/modelslim/NAME: tiny models quantized by msmodelslim's own quantizers and saved by its own AscendV1
saver, with the logits that the NPU operators' definitions give (modelslim_operators.py).

What the library does not write any more is made from its files by the format's documents: V0 file names, W4A16, and W4A4
with two rows a byte.
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from msmodelslim import ir
from msmodelslim.core.quant_service.modelslim_v1.save.ascendv1 import AscendV1Config, AscendV1Saver
from msmodelslim.core.quant_service.modelslim_v1.save.interface import AscendV1GlobalModelDtypeInterface
from msmodelslim.ir.api import calculate_qparam, quantize
from msmodelslim.ir.qal import QDType, QParam, QScheme, QScope, QStorage
from msmodelslim.model import IModel
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModelForCausalLM

import modelslim_operators
from fnv1a import fnv1a

SOURCE = Path(__file__).resolve().parents[2] / "tests" / "golden" / "models"
OUT = SOURCE.parent / "modelslim"
BITS = {"W4": QDType.INT4, "W8": QDType.INT8}


class Adapter(IModel, AscendV1GlobalModelDtypeInterface):
    model_type, trust_remote_code = "tiny", False

    def __init__(self, directory: Path, dtype: torch.dtype):
        self.directory, self.dtype = directory, dtype

    @property
    def model_path(self):
        return self.directory

    def get_global_model_torch_dtype(self):
        return self.dtype


def quantized_weight(weight, bits, symmetric=True, group=None):
    scope = QScope.PER_GROUP if group else QScope.PER_CHANNEL
    grouped = weight.reshape(-1, group) if group else weight
    param = calculate_qparam(grouped.amin(1), grouped.amax(1), bits, scope, symmetric)
    if group:
        param.ext["group_size"] = group
    codes = quantize(QStorage(QDType.FLOAT, weight.T.contiguous()), param).T
    if group:
        param.ext["scale"] = param.ext["scale"].reshape(len(weight), -1)
        param.ext["offset"] = param.ext["offset"].reshape(len(weight), -1)
    return param, codes


def ir_linear(kind: str, weight, input_range, options: dict):
    """The library's module for one linear. `kind` as in the description; W4A16 has none there and is saved as W8A16."""
    bits = BITS[kind[:2]]
    param, codes = quantized_weight(weight, bits, options.get("symmetric", True), options.get("group"))
    token = QParam(QScheme(QScope.PER_TOKEN, QDType.INT4 if "A4" in kind else QDType.INT8, True))
    if kind in ("W8A8", "W8A8_MIX"):
        static = calculate_qparam(*input_range, QDType.INT8, QScope.PER_TENSOR, False)
        make = ir.W8A8StaticFakeQuantLinear if kind == "W8A8" else ir.W8A8PDMixFakeQuantLinear
        return make(static, param, codes, None)
    if kind.endswith("A16"):
        make = ir.W8A16StaticPerGroupFakeQuantLinear if options.get("group") else ir.W8A16StaticPerChannelFakeQuantLinear
        return make(token, param, QStorage(bits, codes.value), None)
    make = {"W8A8_DYNAMIC": ir.W8A8DynamicPerChannelFakeQuantLinear, "W4A8_DYNAMIC": ir.W4A8DynamicFakeQuantLinear,
            "W4A4_DYNAMIC": ir.W4A4DynamicPerChannelFakeQuantLinear}[kind]
    return make(token, param, codes, None)


def flat_linear(weight, pair, clip):
    """W4A4 behind a Kronecker pair: x W^T = (x (L (x) R)) (W (L (x) R)^-T)^T."""
    left, right = pair
    whole = torch.kron(left.double(), right.double())
    inner = ir_linear("W4A4_DYNAMIC", (weight.double() @ torch.linalg.inv(whole).T).float(), None, {})
    wrapper = ir.FlatQuantOnlineWrapper(inner)
    wrapper._add_clip(torch.tensor([clip]))
    wrapper._add_flat({"left_trans": left.clone(), "right_trans": right.clone()})
    return wrapper


def input_ranges(source: Path, ids) -> dict:
    """Least and greatest input of every linear of the float model: the calibration of static scales."""
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval()
    ranges = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            module.register_forward_pre_hook(lambda m, x, name=name: ranges.__setitem__(name, (x[0].min(), x[0].max())))
    model(input_ids=ids[None])
    return ranges


def cache_ranges(source: Path, ids) -> dict:
    """(least, greatest) of every channel of what the cache of every layer is given, keys and values."""
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval()
    cache, ranges = model(input_ids=ids[None], use_cache=True).past_key_values, {}
    for layer, one in enumerate(cache.layers):
        for side, x in (("key_states", one.keys), ("value_states", one.values)):
            rows = x.transpose(1, 2).reshape(-1, x.shape[1] * x.shape[3])
            ranges[f"model.layers.{layer}.self_attn.{side}"] = rows.amin(0), rows.amax(0)
    return ranges


def random_pair(size: int, rows: int, generator):
    def one(n):  # orthogonal and a little skewed, as a learned one
        q, _ = torch.linalg.qr(torch.randn(n, n, generator=generator))
        return q @ torch.diag(1 + 0.2 * torch.rand(n, generator=generator))
    return one(rows), one(size // rows)


class Tree(nn.Module):
    """The model as a tree of modules by the names of its tensors: what the saver walks over."""

    def put(self, path: str, module: nn.Module):
        *parents, last = path.split(".")
        here = self
        for part in parents:
            if part not in here._modules:
                here.add_module(part, Tree())
            here = here._modules[part]
        here.add_module(last, module)


def build(source: Path, plan, norm_bias: bool, ids) -> Tree:
    generator = torch.Generator().manual_seed(7)
    tensors, tree, pairs = load_file(source / "model.safetensors"), Tree(), {}
    ranges = input_ranges(source, ids)
    for name, tensor in tensors.items():
        path = name.removesuffix(".weight")
        chosen = plan(path) if tensor.ndim == 2 else None
        if chosen is None:
            module = nn.Module()
            if norm_bias and path.endswith("layernorm"):
                module = ir.RMSNormBias(len(tensor)) if hasattr(ir, "RMSNormBias") else nn.Module()
                module.bias = nn.Parameter((0.1 * torch.randn(len(tensor), generator=generator)).bfloat16(), False)
            module.weight = nn.Parameter(tensor, False)
        else:
            kind, options = chosen
            weight = tensor.float()
            if kind == "W4A4_FLATQUANT_DYNAMIC":
                key = path.rsplit(".", 1)[0]
                pair = pairs.setdefault(key, random_pair(weight.shape[1], options["rows"], generator))
                module = flat_linear(weight, pair, options["clip"])
            elif "smooth" in options:
                factors = 0.5 + torch.rand(weight.shape[1], generator=generator)
                low, high = ranges[path]  # inputs are divided by at most 0.5
                module = ir.NonFusionSmoothQuantWrapper(factors, ir_linear(kind, weight * factors, (2 * low, 2 * high), options))
            else:
                module = ir_linear(kind, weight, ranges.get(path), options)
        tree.put(path, module)
    return tree


def dynamic(path):
    if ".layers.0." in path or not path.endswith(("gate_proj", "up_proj")):
        return "W8A8_DYNAMIC", {}
    return "W4A4_DYNAMIC", {}


def eight(path):
    return "W8A8_DYNAMIC", {}


def static(path):
    if path.endswith(("layers.1.mlp.gate_proj", "layers.1.mlp.up_proj")):
        return "W8A8_MIX", {}
    return "W8A8", {"smooth": True} if path.endswith(("o_proj", "down_proj")) else {}


def flat(path):
    if path.endswith(("o_proj", "down_proj")):
        return "W8A8_DYNAMIC", {"smooth": True} if path.endswith("layers.0.mlp.down_proj") else {}
    return "W4A4_FLATQUANT_DYNAMIC", {"rows": 8, "clip": 0.9 if "attn" in path else 0.98}


def mixture(path):
    if "experts" in path:
        return ("W8A8_DYNAMIC" if path.endswith("down_proj") else "W4A8_DYNAMIC"), {}
    if path.endswith(("q_proj", "k_proj", "v_proj")):
        return "W8A16", {"symmetric": False}
    if path.endswith("o_proj"):
        return "W4A16", {"group": 16} if ".layers.0." in path else {}
    return ("W4A4_DYNAMIC" if path.endswith(("gate_proj", "up_proj")) else "W8A8"), {}


def split(path):
    """q/k/v, gate/up and the experts of a layer as no engine has them that fuses them."""
    kinds = {"q_proj": "W8A8_DYNAMIC", "k_proj": "W4A4_DYNAMIC", "v_proj": None, "o_proj": "W8A16",
             "gate_proj": "W4A8_DYNAMIC", "up_proj": "W8A8_DYNAMIC", "down_proj": "W4A4_DYNAMIC"}
    swapped = {"gate_proj": "up_proj", "up_proj": "down_proj", "down_proj": "gate_proj"}
    leaf = path.rsplit(".", 1)[1]
    if "experts" in path and int(path.split(".")[-2]) % 2:
        leaf = swapped[leaf]
        if leaf == "gate_proj":
            leaf = "down_proj"  # W4A8 sums the inputs of down_proj in 16 parts, which these sizes do not have
    return None if kinds[leaf] is None else (kinds[leaf], {})


def put_cache(tree, source: Path, ids) -> None:
    """C8: asymmetric in the first layer, symmetric in the others."""
    for path, (low, high) in cache_ranges(source, ids).items():
        param = calculate_qparam(low, high, QDType.INT8, QScope.PER_CHANNEL, ".layers.0." not in path)
        tree.put(path, ir.FakeQuantDynamicCache(param))


def linears_only(plan):
    return lambda path: plan(path) if path.endswith("_proj") else None


def pack_rows(codes):
    return (codes[0::2] & 15) | (codes[1::2] << 4)


def make_v0(directory: Path) -> None:
    """Two shards, an index and a description as older savers name them; W4A16 and packed W4A4, which the V1 saver lacks."""
    file = directory / "quant_model_weights.safetensors"
    tensors, description = load_file(file), json.loads((directory / "quant_model_description.json").read_text())
    file.unlink()
    for key in ("metadata", "optional", "group_size"):
        description.pop(key)
    for name in [n for n in description if n.endswith(".weight")]:
        base, weight = name.removesuffix(".weight"), tensors.get(name)
        if description[name] == "W8A16" and base.endswith("o_proj"):
            for tensor in [t for t in description if t.startswith(base + ".")]:
                description[tensor] = "W4A16"
            groups = tensors[base + ".weight_scale"].shape[1]
            tensors[name] = pack_rows(weight) if groups > 1 else pack_rows(weight.T).T.contiguous()
        if description[name] == "W4A4_DYNAMIC":
            tensors[name] = pack_rows(weight)
    names, weight_map = sorted(tensors), {}
    for i, part in enumerate((names[: len(names) // 2], names[len(names) // 2:]), start=1):
        shard = f"quant_model_weight_w8a8-{i:05d}-of-00002.safetensors"
        save_file({n: tensors[n].contiguous() for n in part}, directory / shard)
        weight_map |= {n: shard for n in part}
    index = {"metadata": {}, "weight_map": weight_map}
    (directory / "quant_model_weight_w8a8.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")
    (directory / "quant_model_description.json").unlink()
    (directory / "quant_model_description_w8a8.json").write_text(json.dumps(description, indent=1) + "\n")


@torch.no_grad()
def golden(source: Path, directory: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager").eval()
    files = modelslim_operators.install(model, directory)
    result, lengths = {}, (1, 17, 40)
    originals = load_file(source / "golden.safetensors")
    for i, length in enumerate(lengths):
        ids = originals[f"input_ids_{i}"][:length].clone()
        result |= {f"input_ids_{i}": ids, f"logits_{i}": model(input_ids=ids[None]).logits[0].contiguous()}
        before = originals[f"logits_{i}"][:length]
        print(f"  {length} tokens: moves logits by {(result[f'logits_{i}'] - before).abs().max() / before.abs().max():.3f} of the largest")
    save_file(result, directory / "golden.safetensors")
    weights = {}
    for path, base in sorted(files.linears().items()):
        values = modelslim_operators.dequantized(files, base).contiguous()
        weights[path] = {"type": files.types[base + ".weight"], "shape": list(values.shape), "fnv1a": fnv1a(values.numpy().tobytes())}
    (directory / "golden_weights.json").write_text(json.dumps(weights, indent=1) + "\n")


CASES = {  # name: source, plan, biases of norms, dtype of the model (it decides how deq_scale is stored), V0
    "qwen3-w4a4-w8a8": ("qwen3", dynamic, False, torch.bfloat16, False),
    "qwen3-static": ("qwen3", static, True, torch.bfloat16, False),
    "qwen3-flatquant": ("qwen3", flat, False, torch.bfloat16, False),
    "qwen3-c8": ("qwen3", eight, False, torch.bfloat16, False),
    "qwen3-moe-split": ("qwen3-moe", split, False, torch.bfloat16, False),
    "qwen3-moe-v0": ("qwen3-moe", mixture, False, torch.float16, True),
}


def make(name: str) -> None:
    base, plan, norm_bias, dtype, v0 = CASES[name]
    source, directory = SOURCE / base, OUT / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    ids = load_file(source / "golden.safetensors")["input_ids_2"]
    tree = build(source, linears_only(plan), norm_bias, ids)
    if name.endswith("-c8"):
        put_cache(tree, source, ids)
    AscendV1Saver(tree, AscendV1Config(save_directory=str(directory), part_file_size=0), Adapter(source, dtype)).post_run()
    for extra in ("golden_greedy.json",):
        (directory / extra).unlink(missing_ok=True)
    if v0:
        make_v0(directory)
    print(name)
    golden(source, directory)
    for path in directory.iterdir():
        path.chmod(0o644)


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    for case in sys.argv[1:] or CASES:
        make(case)
