#!/usr/bin/env python3
"""Measures one GGUF file in one peer. Called by `run`: the job is a JSON object on standard input, one line of JSON per case comes out.

{"library": "llama.cpp"|"ik_llama.cpp", "directory": D, "path": FILE, "threads": N, "seconds": S, "cases": ["pp512", "tg128b4", ...]}

The case "load" is the time until the first token, the memory of this process then and at most, less what it had before, and what the library
says of its build.
"""
import json
import re
import statistics
import sys
import time

from llama_engine import Engine, IkLlama, LlamaCpp
from loading import memory_mb

LIBRARIES = {"llama.cpp": LlamaCpp, "ik_llama.cpp": IkLlama}
VOCABULARY = 100_000  # ids stay below it: any model has them
MIN_RUNS, MIN_STEPS = 3, 16
UBATCH = 512  # the default of both


def token(i):
    return (i * 7919 + 13) % VOCABULARY


def measure_prompt(engine, length, seconds):
    """Tokens per second of whole prompts, one value per run."""
    engine.open(1, length, UBATCH)
    items = [(token(i), i, 0, i == length - 1) for i in range(length)]
    speeds, spent = [], 0.0
    while len(speeds) < MIN_RUNS + 1 or spent < seconds:
        engine.api.clear(engine.context)
        begin = time.perf_counter()
        engine.decode(items)
        spent += time.perf_counter() - begin
        speeds.append(length / (time.perf_counter() - begin))
    engine.check_logits(length - 1)
    return speeds[1:]  # the first run sizes the library's buffers


def measure_decode(engine, steps, sequences, prompt, seconds):
    """Tokens per second of all sequences together, one value per step, after `prompt` tokens each."""
    engine.open(sequences, prompt + steps, UBATCH)
    for sequence in range(sequences):
        engine.decode([(token(sequence * prompt + i), i, sequence, False) for i in range(prompt)])
    speeds, spent = [], 0.0
    for step in range(steps):
        if step > MIN_STEPS and spent > seconds:
            break
        items = [(token(step * sequences + s), prompt + step, s, True) for s in range(sequences)]
        begin = time.perf_counter()
        engine.decode(items)
        elapsed = time.perf_counter() - begin
        spent += elapsed
        speeds.append(sequences / elapsed)
    engine.check_logits(sequences - 1)
    return speeds[1:]


def measure(engine, case, job):
    if found := re.fullmatch(r"pp(\d+)", case):
        return measure_prompt(engine, int(found[1]), job["seconds"])
    steps, sequences = re.fullmatch(r"tg(\d+)b(\d+)", case).groups()
    return measure_decode(engine, int(steps), int(sequences), job["prompt"], job["seconds"])


def main():
    job = json.load(sys.stdin)
    api = LIBRARIES[job["library"]](job["directory"])
    before, _ = memory_mb("self")
    begin = time.perf_counter()
    engine = Engine(api, job["path"], job["threads"])
    if job["cases"] == ["load"]:
        engine.open(1, 16, UBATCH)
        engine.decode([(token(0), 0, 0, True)])
        seconds = time.perf_counter() - begin
        now, most = memory_mb("self")
        print(json.dumps({"case": "load", "seconds": seconds, "resident_mb": now - before, "peak_mb": most - before,
                          "flags": api.system_info()}))
        return
    for case in job["cases"]:
        try:
            speeds = measure(engine, case, job)
            print(json.dumps({"case": case, "tokens_per_s": statistics.median(speeds), "runs": len(speeds)}), flush=True)
        except RuntimeError as error:
            print(json.dumps({"case": case, "error": str(error)}), flush=True)


if __name__ == "__main__":
    main()
