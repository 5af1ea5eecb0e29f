#!/usr/bin/env python3
"""Proves that the tiny models can tell a wrong engine from a right one: each known mistake (a norm, bias or rope scaling
ignored, experts not renormalised ...) must move the golden logits by far more than the tests' tolerance of 1e-4.

Prints max |difference| / max |logit| per mistake, and the noise of float32 itself (against float64). Exit 1 below 1e-2.
"""

import copy
import json
import sys

import torch
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils import logging as hf_logging

from make_tiny_models import OUT, load
from tiny_specs import SPECS

REQUIRED = 1e-2


def golden(name):
    with safe_open(OUT / name / "golden.safetensors", "pt") as file:
        return [(file.get_tensor(f"input_ids_{i}"), file.get_tensor(f"logits_{i}")) for i in range(3)]


@torch.no_grad()
def distance(model, cases) -> float:
    return max(float((model(input_ids=ids[None]).logits[0] - want).abs().max() / want.abs().max()) for ids, want in cases)


def edit(model, pattern, change):
    """A copy of the model with `change` applied to every parameter whose name contains pattern; None when there is none."""
    copied, hits = copy.deepcopy(model), 0
    for name, parameter in copied.named_parameters():
        if pattern in name:
            parameter.data.copy_(change(parameter.data))
            hits += 1
    return copied if hits else None


def reconfigured(directory, **change):
    config = AutoConfig.from_pretrained(directory)
    for key, value in change.items():
        setattr(config, key, value)
    return AutoModelForCausalLM.from_pretrained(directory, config=config, dtype=torch.float32,
                                                attn_implementation="eager", experts_implementation="eager").eval()


def mistakes(name, model):
    directory, spec = OUT / name, SPECS[name]
    for pattern in ("input_layernorm", "post_attention_layernorm", "model.norm", "q_norm", "k_norm"):
        yield f"{pattern} = 1", edit(model, pattern, torch.ones_like)
    for pattern in ("q_proj.bias", "k_proj.bias", "v_proj.bias", "self_attn.o_proj.weight", "mlp.gate.weight"):
        yield f"{pattern} = 0", edit(model, pattern, torch.zeros_like)
    theta = {"rope_type": "default", "rope_theta": spec["rope_theta"]}
    if spec["rope_scaling"]:
        yield "no rope scaling", reconfigured(directory, rope_parameters=theta)
    yield "rope theta x 2", reconfigured(directory, rope_parameters=theta | {"rope_theta": 2 * spec["rope_theta"]})
    if "num_experts" in spec:
        yield "norm_topk_prob flipped", reconfigured(directory, norm_topk_prob=not spec["norm_topk_prob"])
        yield "top-1 experts", reconfigured(directory, num_experts_per_tok=1)


def main() -> int:
    hf_logging.set_verbosity_error()
    hf_logging.disable_progress_bar()
    weak = 0
    for name in SPECS:
        cases, model = golden(name), load(OUT / name)
        found = {what: distance(wrong, cases) for what, wrong in mistakes(name, model) if wrong is not None}
        noise = distance(load(OUT / name, torch.float64), cases)
        again = distance(model, cases)
        print(f"{name}: float32 noise {noise:.1e}, repeated {again:.1e}")
        print("   " + json.dumps({k: round(v, 4) for k, v in found.items()}))
        weak += sum(v < REQUIRED for v in found.values()) + (noise > 1e-5) + (again > 1e-6)
    print("all mistakes show" if weak == 0 else f"{weak} figures out of bounds")
    return 1 if weak else 0


if __name__ == "__main__":
    sys.exit(main())
