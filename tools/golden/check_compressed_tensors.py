#!/usr/bin/env python3
"""Opens a quantized directory (as `tessera quantize` writes it) with the Python library compressed-tensors and proves that the
library reads the same numbers out of it as ct_numpy.py does, bit for bit.

usage: check_compressed_tensors.py DIR [--original DIR] [--summary FILE.json] [--whole-model]
  --original     also recompute every code and scale from the unquantized directory (round to nearest, float32 arithmetic,
                 scale rounded to its stored dtype first)
  --whole-model  also load DIR with transformers, decompress it and compare every Linear of the model
Exit 1 with one line per misfit.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import torch
from compressed_tensors.compressors.base import BaseCompressor
from compressed_tensors.compressors.format import infer_module_format
from compressed_tensors.quantization import QuantizationConfig
from compressed_tensors.utils.match import is_match, match_targets
from safetensors import safe_open

import ct_numpy

LOCAL_NAMES = ("weight", "weight_packed", "weight_scale", "weight_shape", "weight_zero_point")


class Checkpoint:
    """All safetensors files of a directory, read by the safetensors library and by ct_numpy."""

    def __init__(self, directory: Path):
        self.directory, self.files = directory, {}
        for path in sorted(directory.glob("*.safetensors")):
            if not path.name.startswith("golden"):
                numpy_file, torch_file = ct_numpy.SafeTensors(path), safe_open(path, "pt")
                self.files |= {name: (numpy_file, torch_file) for name in numpy_file.header}
        assert self.files, f"{directory}: no tensors"

    def numpy(self, name):
        return self.files[name][0].load(name)

    def torch(self, name):
        return self.files[name][1].get_tensor(name)

    def modules(self) -> dict[str, list[str]]:
        """Module name -> local names of its weight tensors; only modules with a matrix, embeddings left out."""
        result: dict[str, list[str]] = {}
        for name in self.files:
            module, local = name.rsplit(".", 1)
            if local in LOCAL_NAMES and "embed_tokens" not in module and "norm" not in module:
                result.setdefault(module, []).append(local)
        return result


def scheme_of(config: QuantizationConfig, module: str):
    """The scheme that the library's own matcher gives a Linear of this name, or None."""
    linear = torch.nn.Linear(1, 1, device="meta")
    by_target = {target: scheme for scheme in config.config_groups.values() for target in scheme.targets}
    if is_match(module, linear, config.ignore or []):
        return None
    targets = match_targets(module, linear, list(by_target))
    return by_target[targets[0]] if targets else None


def describe(scheme) -> str:
    weights, inputs = scheme.weights, scheme.input_activations
    group = f"g{weights.group_size}" if weights.strategy == "group" else str(getattr(weights.strategy, "value", weights.strategy))
    return f"w{weights.num_bits}a{inputs.num_bits if inputs else 16}-{group}"


class Check:
    def __init__(self, arguments):
        self.quantized = Checkpoint(arguments.directory)
        self.original = Checkpoint(arguments.original) if arguments.original else None
        raw = json.loads((arguments.directory / "config.json").read_text())["quantization_config"]
        self.config = QuantizationConfig.model_validate(raw)
        self.misfits, self.summary, self.dequantized = [], {}, {}

    def module(self, name: str, local_names: list[str]) -> None:
        scheme, stored = scheme_of(self.config, name), "weight_scale" in local_names
        if (scheme is not None) != stored:
            self.misfits.append(f"{name}: config says {'quantized' if scheme else 'not quantized'}, tensors say the opposite")
        if scheme is None or not stored:
            return
        form = scheme.format or self.config.format or infer_module_format(torch.nn.Linear, scheme)
        if getattr(form, "value", form) == "mixed-precision":
            self.misfits.append(f"{name}: mixed-precision without a format in the group")
            return
        compressor = BaseCompressor.get_value_from_registry(getattr(form, "value", form))
        state = {local: self.quantized.torch(f"{name}.{local}") for local in local_names}
        wanted = set(compressor.compression_param_names(scheme))
        if set(state) != wanted:
            self.misfits.append(f"{name}: tensors {sorted(state)}, the library's format has {sorted(wanted)}")
        theirs = compressor.decompress(state, scheme)["weight"].float().numpy()
        arrays = {local: self.quantized.numpy(f"{name}.{local}") for local in local_names}
        codes, zero_point, ours = ct_numpy.decode(arrays, scheme.weights.num_bits)
        if not np.array_equal(theirs, ours):
            self.misfits.append(f"{name}: the library and numpy dequantize {int((theirs != ours).sum())} values differently")
        if self.original:
            self.recompute(name, scheme.weights, arrays["weight_scale"], codes, zero_point)
        self.dequantized[name] = ours
        self.add_to_summary(describe(scheme) + "." + compressor.__name__, codes, ours)

    def recompute(self, name, weights, scale, codes, zero_point) -> None:
        tied_head = name == "lm_head" and "lm_head.weight" not in self.original.files
        source = self.original.numpy("model.embed_tokens.weight" if tied_head else f"{name}.weight")[0].astype(np.float32)
        group = weights.group_size if weights.strategy == "group" else None
        want, want_scale, want_zero = ct_numpy.quantize(source, weights.num_bits, group, weights.symmetric, "F32", scale[1])
        if not np.array_equal(want_scale, scale[0]):
            self.misfits.append(f"{name}: {int((want_scale != scale[0]).sum())} scales are not those of round-to-nearest")
        if not np.array_equal(want, codes):
            self.misfits.append(f"{name}: {int((want != codes).sum())} codes are not those of round-to-nearest")
        if (want_zero is None) != (zero_point is None) or (want_zero is not None and not np.array_equal(want_zero, zero_point)):
            self.misfits.append(f"{name}: zero points are not those of round-to-nearest")

    def add_to_summary(self, kind: str, codes, values) -> None:
        entry = self.summary.setdefault(kind, {"modules": 0, "weights": 0, "codes": hashlib.sha256(), "values": hashlib.sha256()})
        entry["modules"] += 1
        entry["weights"] += codes.size
        entry["codes"].update(codes.tobytes())
        entry["values"].update(np.ascontiguousarray(values, "<f4").tobytes())

    def whole_model(self, directory: Path) -> None:
        """Every Linear must hold what numpy decoded, once the library has decompressed the loaded model."""
        from transformers import AutoModelForCausalLM
        # transformers' dequantize=True fails on mixed formats (5.23), so the library's own decompress_model does it.
        model = AutoModelForCausalLM.from_pretrained(directory)
        model.hf_quantizer.compressor.decompress_model(model)
        found = {name: module.weight for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
        compared = [name for name in self.dequantized if name in found]
        for name in compared:
            if not np.array_equal(found[name].detach().float().numpy(), self.dequantized[name]):
                self.misfits.append(f"{name}: transformers loads other values")
        print(f"transformers: {len(compared)} of {len(self.dequantized)} quantized modules are Linears there and were compared")

    def report(self) -> dict:
        digest = lambda value: value.hexdigest() if hasattr(value, "hexdigest") else value
        return {kind: {k: digest(v) for k, v in entry.items()} for kind, entry in sorted(self.summary.items())}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--original", type=Path)
    parser.add_argument("--summary", type=Path)
    parser.add_argument("--whole-model", action="store_true")
    arguments = parser.parse_args()
    check = Check(arguments)
    for name, local_names in sorted(check.quantized.modules().items()):
        check.module(name, local_names)
    if not check.summary:
        check.misfits.append(f"{arguments.directory}: not one quantized module")
    if arguments.whole_model:
        check.whole_model(arguments.directory)
    report = json.dumps(check.report(), indent=1)
    print(report, *check.misfits, sep="\n")
    if arguments.summary and not check.misfits:
        arguments.summary.write_text(report + "\n")
    print(f"{sum(e['modules'] for e in check.summary.values())} modules, {len(check.misfits)} misfits")
    return 1 if check.misfits else 0


if __name__ == "__main__":
    sys.exit(main())
