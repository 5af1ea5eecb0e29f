#!/usr/bin/env python3
"""Measures one GGUF file in OpenVINO GenAI. Called by `run` as worker.py is, with the same job and the same lines of JSON.

A prompt's speed is that of generating one token behind it. Decoding is the difference between two runs, of one token and of many, at
most DECODE_STEPS: a batch has no streamer, and the pipeline's own figures mix the sequences. Prompts differ from run to run, or the
pipeline takes their beginnings from its cache.
"""
import json
import re
import statistics
import sys
import time

import numpy
import openvino
import openvino_genai

from loading import memory_mb

VOCABULARY = 100_000  # ids stay below it: any model has them
DECODE_STEPS = 33
MIN_RUNS = 3


class Pipeline:
    def __init__(self, path, threads):
        self.pipe = openvino_genai.LLMPipeline(path, "CPU", INFERENCE_NUM_THREADS=threads)
        self.runs = 0

    def seconds(self, sequences, prompt, tokens):
        """Of `tokens` behind `sequences` prompts that were never seen."""
        self.runs += 1
        ids = (numpy.arange(sequences * prompt, dtype=numpy.int64) * 7919 + 13 * self.runs) % VOCABULARY
        ids = ids.reshape(sequences, prompt)
        inputs = openvino_genai.TokenizedInputs(openvino.Tensor(ids), openvino.Tensor(numpy.ones_like(ids)))
        config = openvino_genai.GenerationConfig(max_new_tokens=tokens, ignore_eos=True, do_sample=False)
        begin = time.perf_counter()
        result = self.pipe.generate(inputs, config)
        elapsed = time.perf_counter() - begin
        counts = {len(answer) for answer in result.tokens}
        if counts != {tokens}:
            raise RuntimeError(f"answers of {sorted(counts)} tokens, expected {tokens}")
        return elapsed


def measure(pipeline, case, job):
    """Tokens per second, one value per run."""
    if found := re.fullmatch(r"pp(\d+)", case):
        def one():
            return int(found[1]) / pipeline.seconds(1, int(found[1]), 1)
    else:
        steps, sequences = map(int, re.fullmatch(r"tg(\d+)b(\d+)", case).groups())
        tokens = min(steps, DECODE_STEPS)

        def one():
            first = pipeline.seconds(sequences, job["prompt"], 1)
            return sequences * (tokens - 1) / (pipeline.seconds(sequences, job["prompt"], tokens) - first)
    one()  # the first run compiles for the shape
    speeds, begin = [], time.perf_counter()
    while len(speeds) < MIN_RUNS or time.perf_counter() - begin < job["seconds"]:
        speeds.append(one())
    return speeds


def main():
    job = json.load(sys.stdin)
    before, _ = memory_mb("self")
    begin = time.perf_counter()
    pipeline = Pipeline(job["path"], job["threads"])
    if job["cases"] == ["load"]:
        pipeline.seconds(1, 1, 1)
        seconds = time.perf_counter() - begin
        now, most = memory_mb("self")
        print(json.dumps({"case": "load", "seconds": seconds, "resident_mb": now - before, "peak_mb": most - before,
                          "flags": f"openvino {openvino.__version__}"}))
        return
    for case in job["cases"]:
        try:
            speeds = measure(pipeline, case, job)
            print(json.dumps({"case": case, "tokens_per_s": statistics.median(speeds), "runs": len(speeds)}), flush=True)
        except RuntimeError as error:
            print(json.dumps({"case": case, "error": str(error)[:200]}), flush=True)


if __name__ == "__main__":
    main()
