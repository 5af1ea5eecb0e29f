#!/usr/bin/env python3
"""Writes tests/golden/models/NAME: tiny random models as Hugging Face directories, with the logits and greedy
continuations that transformers computes for them in float32 (eager attention) from the bfloat16 weights.

Input tokens are drawn one at a time and kept only where the answer is no near-tie (first logit ahead of the second,
chosen experts ahead of the next), so that a correct engine in bfloat16 still agrees on the top token.

usage: make_tiny_models.py [NAME...]        (all when none is named; see README.md for the environment)
"""

import json
import shutil
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM
from transformers.utils import logging as hf_logging

import tiny_tokenizer
from tiny_specs import SPECS, random_weights

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "models"
LENGTHS = (1, 17, 96)
CANDIDATES = 32
LOGIT_GAP, EXPERT_GAP = 0.25, 0.1
GREEDY_TOKENS, GREEDY_KEPT, GREEDY_GAP, GREEDY_DISTINCT = 24, 4, 0.05, 6
OPENINGS = ["The harbour", "A tessera is", "How many tiles", "def count", "for (int i", "What should we", "Kann man", "User: Please",
            "The keeper", "Outside, the wind", "日本語", "\n\n", "1234", "  return", "{\"role\": ", "Привет"]


def write_checkpoint(directory: Path, name: str, seed: int) -> None:
    config = SPECS[name]
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    tiny_tokenizer.write(tiny_tokenizer.train(), directory)
    tensors = random_weights(config, seed)
    if not name.endswith("-sharded"):
        save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
        return
    names, weight_map = list(tensors), {}
    for i, part in enumerate((names[: len(names) // 2], names[len(names) // 2:]), start=1):
        file = f"model-{i:05d}-of-00002.safetensors"
        save_file({n: tensors[n] for n in part}, directory / file, metadata={"format": "pt"})
        weight_map |= {n: file for n in part}
    total = sum(t.numel() * t.element_size() for t in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def load(directory: Path, dtype=torch.float32):
    model, info = AutoModelForCausalLM.from_pretrained(
        directory, dtype=dtype, attn_implementation="eager", experts_implementation="eager",
        output_loading_info=True)
    assert not any(info.values()), f"{directory.name}: {info}"
    return model.eval()


class Probe:
    """Runs a model and remembers, per position, the smallest lead of a chosen expert over the next one."""

    def __init__(self, model):
        self.model, self.leads = model, []
        for module in model.modules():
            if type(module).__name__ == "Qwen3MoeTopKRouter":
                module.register_forward_hook(self._router)

    def _router(self, module, _, output):
        top = output[0].topk(module.top_k + 1, dim=-1).values
        self.leads.append(top[:, module.top_k - 1] - top[:, module.top_k])

    @torch.no_grad()
    def __call__(self, ids):
        self.leads.clear()
        logits = self.model(input_ids=ids, use_cache=False).logits
        top = logits.topk(2, dim=-1).values
        gap = top[..., 0] - top[..., 1]
        lead = torch.stack(self.leads).amin(0).view(gap.shape) if self.leads else torch.full_like(gap, 1e9)
        return logits, gap, lead


def draw_sequence(probe: Probe, vocab: int, length: int, generator) -> list[int]:
    sequence: list[int] = []
    while len(sequence) < length:
        tokens = torch.randint(0, vocab, (CANDIDATES,), generator=generator)
        prefix = torch.tensor(sequence, dtype=torch.long).expand(CANDIDATES, -1)
        _, gap, lead = probe(torch.cat([prefix, tokens[:, None]], dim=1))
        good = ((gap[:, -1] >= LOGIT_GAP) & (lead[:, -1] >= EXPERT_GAP)).nonzero().flatten()
        if len(good):
            sequence.append(int(tokens[good[0]]))
    return sequence


def greedy(probe: Probe, ids: list[int]):
    """Plain argmax, no cache. Returns (output ids, smallest lead of the first logit), or None at a near-tie or special token."""
    current, gaps = list(ids), []
    for _ in range(GREEDY_TOKENS):
        logits, gap, _ = probe(torch.tensor([current]))
        gaps.append(float(gap[0, -1]))
        current.append(int(logits[0, -1].argmax()))
        if gaps[-1] < GREEDY_GAP or not tiny_tokenizer.IM_END_ID < current[-1] < tiny_tokenizer.VOCAB_SIZE:
            return None
    return current[len(ids):], min(gaps)


def greedy_cases(probe: Probe, tokenizer) -> list[dict]:
    """Tries prompts in turn until enough of them continue without near-ties and without falling into a short loop."""
    text = (Path(__file__).parent / "corpus.txt").read_text()
    prompts = [f"<|im_start|>user\n{p}<|im_end|>\n<|im_start|>assistant\n" for p in OPENINGS] + OPENINGS
    prompts += [text[start:start + length] for start in range(0, len(text) - 80, 23) for length in (30, 55)]
    cases: list[dict] = []
    for prompt in prompts:
        ids = tokenizer.encode(prompt, add_special_tokens=False).ids
        found = greedy(probe, ids)
        if found and len(set(found[0])) >= GREEDY_DISTINCT:
            cases.append({"prompt": prompt, "input_ids": ids, "output_ids": found[0], "min_logit_gap": round(found[1], 6)})
        if len(cases) == GREEDY_KEPT:
            return cases
    raise SystemExit(f"only {len(cases)} of {len(prompts)} prompts continue clearly")


def bf16_agreement(directory: Path, sequences, golden):
    """What transformers itself loses in bfloat16: (mean KL, top-1 agreement) over all positions."""
    model, kls, same = load(directory, torch.bfloat16), [], []
    for ids, want in zip(sequences, golden):
        with torch.no_grad():
            got = model(input_ids=torch.tensor([ids])).logits[0].float()
        p = want.log_softmax(-1)
        kls.append((p.exp() * (p - got.log_softmax(-1))).sum(-1))
        same.append(got.argmax(-1) == want.argmax(-1))
    return torch.cat(kls).mean().item(), torch.cat(same).float().mean().item()


def make(name: str, seed: int) -> None:
    directory = OUT / name
    write_checkpoint(directory, name, seed)
    probe, vocab = Probe(load(directory)), SPECS[name]["vocab_size"]
    generator = torch.Generator().manual_seed(seed + 1000)
    sequences = [draw_sequence(probe, vocab, n, generator) for n in LENGTHS]
    golden = [probe(torch.tensor([ids]))[0][0].contiguous() for ids in sequences]
    tensors = {f"input_ids_{i}": torch.tensor(ids) for i, ids in enumerate(sequences)}
    tensors |= {f"logits_{i}": logits for i, logits in enumerate(golden)}
    save_file(tensors, directory / "golden.safetensors", metadata={"transformers": transformers.__version__,
              "torch": torch.__version__, "dtype": "float32", "attn_implementation": "eager"})
    cases = greedy_cases(probe, tiny_tokenizer.train())
    (directory / "golden_greedy.json").write_text(
        "[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in cases) + "\n]\n")
    kl, top1 = bf16_agreement(directory, sequences, golden)
    all_logits = torch.cat(golden)
    size = sum(f.stat().st_size for f in directory.glob("model*.safetensors"))
    print(f"{name:18} weights {size / 1000:.0f} kB  logit std {all_logits.std():.2f} max {all_logits.abs().max():.1f}  "
          f"distinct top-1 {len(set(all_logits.argmax(-1).tolist()))}/114  own bf16: KL {kl:.1e} top-1 {top1:.3f}  "
          f"greedy gaps {[c['min_logit_gap'] for c in cases]}", flush=True)


def main() -> None:
    hf_logging.disable_progress_bar()
    torch.use_deterministic_algorithms(True)
    for name in sys.argv[1:] or SPECS:
        make(name, seed=list(SPECS).index(name) + 11)


if __name__ == "__main__":
    main()
