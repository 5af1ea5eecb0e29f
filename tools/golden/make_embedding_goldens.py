#!/usr/bin/env python3
"""Writes tests/golden/models/NAME/golden_hidden.safetensors: what transformers has behind the final norm for the token
sequences of golden.safetensors (hidden_I, [tokens, hidden]), and the embeddings made of it, of length 1: of the last
token (last_I) and the mean of all (mean_I). float32, eager attention.

usage: make_embedding_goldens.py [NAME...]        (see README.md for the environment)
"""

import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModel
from transformers.utils import logging as hf_logging

MODELS = Path(__file__).resolve().parents[2] / "tests" / "golden" / "models"
NAMES = ("llama", "qwen2", "qwen3", "qwen3-moe")


def make(name: str) -> None:
    directory = MODELS / name
    model, info = AutoModel.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager",
                                            experts_implementation="eager", output_loading_info=True)
    # The checkpoint has the head too, which the model without one does not want.
    assert not info["missing_keys"] and not info["mismatched_keys"], f"{name}: {info}"
    sequences = load_file(directory / "golden.safetensors")
    tensors = {}
    for i in range(sum(key.startswith("input_ids_") for key in sequences)):
        with torch.no_grad():
            hidden = model.eval()(input_ids=sequences[f"input_ids_{i}"][None], use_cache=False).last_hidden_state[0]
        tensors[f"hidden_{i}"] = hidden.contiguous()
        tensors[f"last_{i}"] = torch.nn.functional.normalize(hidden[-1], dim=-1)
        tensors[f"mean_{i}"] = torch.nn.functional.normalize(hidden.mean(0), dim=-1)
    save_file(tensors, directory / "golden_hidden.safetensors", metadata={"transformers": transformers.__version__,
              "torch": torch.__version__, "dtype": "float32", "attn_implementation": "eager"})
    largest = max(float(tensor.abs().max()) for key, tensor in tensors.items() if key.startswith("hidden_"))
    print(f"{name:10} hidden {tensors['hidden_0'].shape[1]}  largest {largest:.2f}", flush=True)


def main() -> None:
    hf_logging.disable_progress_bar()
    torch.use_deterministic_algorithms(True)
    for name in sys.argv[1:] or NAMES:
        make(name)


if __name__ == "__main__":
    main()
