#!/usr/bin/env python3
"""Perplexity of token ids in llama.cpp, by the definition of `tessera eval perplexity`. Called by `perplexity`: the job is a JSON object on
standard input, one line of JSON comes out. Log-probabilities are summed in float64.

{"directory": of llama.cpp's libraries, "numpy": its folder, "source": GGUF in bf16, "kind": "bf16"|"q8_0"|..., "path": where the file of that kind
goes, "ids": [...], "context": tokens per window, "threads": N}
"""
import json
import math
import sys
from pathlib import Path

from llama_engine import Engine, LlamaCpp

TOKENS_PER_PASS = 256  # their logits are held at once


def negative_log_probability(numpy, logits, token):
    values = logits.astype(numpy.float64)
    most = values.max()
    return float(numpy.log(numpy.exp(values - most).sum()) + most - values[token])


def window_losses(numpy, engine, ids, vocabulary):
    """Of every token of a window but its first."""
    engine.api.clear(engine.context)
    for begin in range(0, len(ids) - 1, TOKENS_PER_PASS):  # the last token's logits predict nothing
        end = min(begin + TOKENS_PER_PASS, len(ids) - 1)
        engine.decode([(ids[at], at, 0, True) for at in range(begin, end)])
        for row in range(end - begin):
            logits = numpy.ctypeslib.as_array(engine.api.llama_get_logits_ith(engine.context, row), shape=(vocabulary,))
            yield negative_log_probability(numpy, logits, ids[begin + row + 1])


def measure(job, numpy):
    api = LlamaCpp(job["directory"])
    api.llama_backend_init()
    path = job["source"]
    if job["kind"] != "bf16":
        path = job["path"]
        api.quantize(job["source"], path, job["kind"], job["threads"])
    engine = Engine(api, path, job["threads"])
    engine.open(1, job["context"], 512)
    ids, context = job["ids"], job["context"]
    losses = [loss for begin in range(0, len(ids), context)
              for loss in window_losses(numpy, engine, ids[begin:begin + context], job["vocabulary"])]
    mean = math.fsum(losses) / len(losses)
    return {"perplexity": math.exp(mean), "mean_nll": mean, "tokens": len(losses), "bytes": Path(path).stat().st_size}


def main():
    job = json.load(sys.stdin)
    sys.path.append(job["numpy"])
    import numpy
    print(json.dumps(measure(job, numpy)))


if __name__ == "__main__":
    main()
