#!/usr/bin/env python3
"""Trains a small Qwen3-MoE on generated word problems, until it solves those it has not seen.

usage: train.py --work DIR [--output DIR] [--steps N]
Checkpoints go to --work every few minutes; the same command goes on from there, and --steps may be raised before the decay has
begun. At the end the weights in bfloat16 and the tokenizer go to --output.
"""

import argparse
import json
import math
import os
import time
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from transformers import AutoTokenizer, Qwen3MoeConfig, Qwen3MoeForCausalLM

import generate
from documents import END, IM_END, Documents, few_shot, train_tokenizer

ROOT = Path(__file__).resolve().parents[2]
HELD_OUT = ROOT / "models" / "arithmetic-moe" / "test.jsonl"
TRAIN_SEED, TOKENIZER_COUNT = 1, 5000  # problems, from which the tokenizer is made
SHOTS = 5
BATCH_TOKENS = 2048
PEAK_RATE, LAST_RATE, WARMUP, DECAY = 3e-3, 3e-5, 100, 500
BALANCE = 0.01  # weight of the load-balancing loss: all experts get tokens
CHECKPOINT_SECONDS, EVAL_STEPS, LOG_STEPS = 180, 250, 20


def config(tokenizer):
    end, im_end = tokenizer.convert_tokens_to_ids([END, IM_END])
    return Qwen3MoeConfig(
        vocab_size=len(tokenizer), hidden_size=256, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, head_dim=32,
        num_experts=20, num_experts_per_tok=2, moe_intermediate_size=128, intermediate_size=512, norm_topk_prob=True,
        decoder_sparse_step=1, mlp_only_layers=[], max_position_embeddings=2048, tie_word_embeddings=False, use_cache=True,
        output_router_logits=False, router_aux_loss_coef=BALANCE, rms_norm_eps=1e-6, bos_token_id=None, eos_token_id=[end, im_end],
        pad_token_id=end, rope_parameters={"rope_type": "default", "rope_theta": 10000.0})


def tensors(documents, pad):
    length = max(len(ids) for ids, _ in documents)
    ids = torch.full((len(documents), length), pad)
    labels = torch.full((len(documents), length), -100)
    for row, (tokens, counts) in enumerate(documents):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        labels[row, : len(tokens)] = torch.where(torch.tensor(counts), torch.tensor(tokens), -100)
    return ids, labels[:, 1:].reshape(-1)


def losses(model, ids, labels):
    """Summed loss of the tokens that count, and the load-balancing loss."""
    with torch.autocast("cpu", torch.bfloat16):
        output = model.model(input_ids=ids, use_cache=False, output_router_logits=True)
        rows = torch.nonzero(labels >= 0).squeeze(1)
        states = output.last_hidden_state[:, :-1].reshape(-1, model.config.hidden_size)[rows]
        logits = model.lm_head(states)
    balance = sum(balance_loss(router, model.config) for router in output.router_logits) / len(output.router_logits)
    return cross_entropy(logits.float(), labels[rows], reduction="sum"), balance


def gradients(model, share, pad, counted, shares):
    """Of one process's share of the batch: (gradients, loss, balance), each to be summed over the shares."""
    loss, balance = losses(model, *tensors(share, pad))
    loss, balance = loss / counted, balance / shares
    return torch.autograd.grad(loss + BALANCE * balance, list(model.parameters())), loss.item(), balance.item()


class Helper:
    """Another process that computes gradients of the same parameters, in shared memory.

    Processes wait for one another once a step, not in every product, so they keep their speed on a machine with other work.
    """

    def __init__(self, model, pad):
        context = torch.multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.gradients = [torch.zeros_like(parameter).share_memory_() for parameter in model.parameters()]
        weights = [parameter.data for parameter in model.parameters()]
        context.Process(target=Helper.run, args=(theirs, model.config, weights, self.gradients, pad), daemon=True).start()

    @staticmethod
    def run(pipe, config, weights, into, pad):
        torch.set_num_threads(1)
        model = Qwen3MoeForCausalLM(config)  # transformers' hooks do not survive pickling
        for parameter, shared in zip(model.parameters(), weights):
            parameter.data = shared
        while True:
            share, counted, shares = pipe.recv()
            found, loss, balance = gradients(model, share, pad, counted, shares)
            for target, gradient in zip(into, found):
                target.copy_(gradient)
            pipe.send((loss, balance))


def step_gradients(model, documents, pad, helpers):
    """Sets the gradients of a whole batch."""
    ways = len(helpers) + 1
    shares = [documents[i::ways] for i in range(ways) if documents[i::ways]]
    counted = sum(sum(counts) for _, counts in documents)
    at_work = helpers[: len(shares) - 1]
    for helper, share in zip(at_work, shares[1:]):
        helper.pipe.send((share, counted, len(shares)))
    found, loss, balance = gradients(model, shares[0], pad, counted, len(shares))
    for parameter, gradient in zip(model.parameters(), found):
        parameter.grad = gradient
    for helper in at_work:
        more_loss, more_balance = helper.pipe.recv()
        loss, balance = loss + more_loss, balance + more_balance
        for parameter, gradient in zip(model.parameters(), helper.gradients):
            parameter.grad += gradient
    return loss, balance


def balance_loss(router_logits, config):
    """Switch Transformer's: experts x sum over experts of (share of choices x mean probability); top_k when even."""
    probabilities = torch.softmax(router_logits.float(), dim=-1)
    chosen = probabilities.topk(config.num_experts_per_tok, dim=-1).indices
    share = torch.nn.functional.one_hot(chosen, config.num_experts).sum(1).float().mean(0)
    return config.num_experts * (share * probabilities.mean(0)).sum()


@torch.no_grad()
def accuracy(model, documents, items, count, shots):
    """Share of the first `count` whose whole answer is the likeliest token by token: what greedy decoding writes.

    The first `shots` questions are the examples before every one, as in SGLang's script.
    """
    right = 0
    for start in range(0, count, 25):
        batch = []
        for item in items[start : min(start + 25, count)]:
            ids, _ = documents.few_shot([*items[:shots], item])
            first = len(documents.few_shot(items[:shots])[0]) - 1 if shots else 0
            question = first + len(documents.encode(["\n\n" * (shots > 0) + few_shot(item["question"])])[0])
            batch.append((ids, [question <= place < len(ids) - 1 for place in range(len(ids))]))
        ids, labels = tensors(batch, documents.end)
        with torch.autocast("cpu", torch.bfloat16):
            likeliest = model(input_ids=ids, use_cache=False).logits[:, :-1].argmax(-1)
        labels = labels.reshape(len(batch), -1)
        right += ((likeliest == labels) | (labels < 0)).all(1).sum().item()
    return right / count


def rate(step, steps):
    """Warm-up, level, and a cosine down to LAST_RATE over the last DECAY steps."""
    done = min(max((step - (steps - DECAY)) / DECAY, 0), 1)
    return min(1, (step + 1) / WARMUP) * (LAST_RATE + (PEAK_RATE - LAST_RATE) * (1 + math.cos(math.pi * done)) / 2)


def optimizer_of(model):
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    return torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
                             lr=PEAK_RATE, betas=(0.9, 0.98), fused=True)


def save_checkpoint(path, model, optimizer, step):
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}, path.with_suffix(".new"))
    os.replace(path.with_suffix(".new"), path)


def export(model, tokenizer, directory):
    """A copy in bfloat16, as the hub has it."""
    copy = Qwen3MoeForCausalLM(model.config)
    copy.load_state_dict(model.state_dict())
    copy.to(torch.bfloat16).save_pretrained(directory)
    # transformers 5 saves the number of experts under a name that transformers 4 and other engines do not look for.
    path = directory / "config.json"
    saved = json.loads(path.read_text())
    saved["num_experts"] = saved.pop("num_local_experts")
    path.write_text(json.dumps(saved, indent=2) + "\n")
    tokenizer.save_pretrained(directory)


def prepare(work):
    """Tokenizer, training documents and the held-out problems; the tokenizer is made once."""
    held_out = generate.read(HELD_OUT)
    excluded = {item["question"] for item in held_out}
    if not (work / "tokenizer.json").exists():
        train_tokenizer(generate.problems(TRAIN_SEED, TOKENIZER_COUNT, excluded)).save_pretrained(work)
    tokenizer = AutoTokenizer.from_pretrained(work)
    return tokenizer, Documents(tokenizer, excluded), held_out


def train(model, optimizer, step, steps, helpers, documents, held_out, checkpoint):
    saved = begin = time.monotonic()
    first = step
    while step < steps:
        for group in optimizer.param_groups:
            group["lr"] = rate(step, steps)
        loss, balance = step_gradients(model, documents.batch(TRAIN_SEED, step, BATCH_TOKENS), documents.end, helpers)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        if step % LOG_STEPS == 0:
            pace = (time.monotonic() - begin) / (step - first)
            print(f"step {step}/{steps} loss {loss:.4f} balance {balance:.3f} {pace:.2f} s/step", flush=True)
        if step % EVAL_STEPS == 0:
            print(f"step {step}: held-out accuracy {accuracy(model, documents, held_out, 100, 0):.3f} without examples, "
                  f"{accuracy(model, documents, held_out, 50, SHOTS):.3f} after {SHOTS}", flush=True)
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            save_checkpoint(checkpoint, model, optimizer, step)
            saved = time.monotonic()
    save_checkpoint(checkpoint, model, optimizer, step)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="tokenizer and checkpoint")
    parser.add_argument("--output", type=Path, default=ROOT / "models" / "arithmetic-moe")
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--processes", type=int, default=2, help="of one thread each")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(TRAIN_SEED)
    arguments.work.mkdir(parents=True, exist_ok=True)

    tokenizer, documents, held_out = prepare(arguments.work)
    model = Qwen3MoeForCausalLM(config(tokenizer))
    optimizer, step = optimizer_of(model), 0
    checkpoint = arguments.work / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
    model.share_memory()
    helpers = [Helper(model, documents.end) for _ in range(arguments.processes - 1)]
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, from step {step}", flush=True)
    train(model, optimizer, step, arguments.steps, helpers, documents, held_out, checkpoint)
    export(model, tokenizer, arguments.output)
    print(f"held-out accuracy {accuracy(model, documents, held_out, len(held_out), 0):.3f} without examples, "
          f"{accuracy(model, documents, held_out, len(held_out), SHOTS):.3f} after {SHOTS}", flush=True)


if __name__ == "__main__":
    main()
