"""`tessera bench serving` against SGLang's own script, the same server and the same requests: do the figures agree?

Usage: bench_serving_agreement.py MODEL_DIR [--rounds 5] [--tolerance 0.03]    (tests/conformance/run agreement)
Both send what the seed makes them send, in turns, first the one and then the other. Every answer must be the same text;
the median over rounds of the ratio of each figure must be within the tolerance. The server has one core and the clients
another: a client that takes the server's time would measure itself.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from bench_serving import conversations, fetch_script
from server_process import ServerProcess

FIGURES = ("duration", "request_throughput", "input_throughput", "output_throughput", "mean_e2e_latency_ms", "median_e2e_latency_ms",
           "mean_ttft_ms", "median_ttft_ms", "p99_ttft_ms", "mean_tpot_ms", "median_tpot_ms", "mean_itl_ms", "median_itl_ms",
           "p95_itl_ms", "concurrency")
SAME = ("completed", "total_input_tokens", "total_output_tokens", "total_output_tokens_retokenized", "input_lens", "output_lens",
        "generated_texts")
LOADS = {
    "closed": ["--max-concurrency", "8"],
    "Poisson": ["--request-rate", "6"],
}


def run_client(command, options, folder, name):
    """One record of the client's JSONL."""
    output = folder / f"{name}.jsonl"
    output.unlink(missing_ok=True)
    result = subprocess.run([*command, *options, "--output-file", str(output)], cwd=folder, capture_output=True, text=True, timeout=600,
                            env={**os.environ, "HF_HUB_OFFLINE": "1"})
    if result.returncode != 0:
        sys.exit(f"{name} failed:\n{result.stdout}{result.stderr}")
    return json.loads(output.read_text())


def compare(clients, options, folder, rounds):
    """The ratio ours / theirs of each figure, one per round."""
    ratios = {figure: [] for figure in FIGURES}
    for round_number in range(rounds):
        order = list(clients) if round_number % 2 == 0 else list(reversed(clients))
        records = {name: run_client(clients[name], options, folder, name) for name in order}
        ours, theirs = records["tessera"], records["sglang"]
        for key in SAME:
            if ours[key] != theirs[key]:
                sys.exit(f"{key} differs: {str(ours[key])[:200]} and {str(theirs[key])[:200]}")
        for figure in FIGURES:
            ratios[figure].append(ours[figure] / theirs[figure])
    return ratios


def print_ratios(title, ratios, tolerance):
    """Returns the figures that do not agree."""
    print(f"\n{title}: tessera bench serving / SGLang's script, median (lowest to highest)")
    wrong = []
    for figure, values in ratios.items():
        median = statistics.median(values)
        agrees = abs(median - 1) <= tolerance
        print(f"  {figure:<24} {median:6.3f}  ({min(values):.3f} to {max(values):.3f}){'' if agrees else '  <-- over the tolerance'}", flush=True)
        if not agrees:
            wrong.append(f"{title}: {figure}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="directory of the model to serve")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tolerance", type=float, default=0.03)
    parser.add_argument("--num-prompts", type=int, default=24)
    parser.add_argument("--backend", nargs="+", default=["sglang", "sglang-oai", "sglang-oai-chat"])
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    wrong = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        clients = {"tessera": [os.environ["TESSERA"], "bench", "serving"], "sglang": [sys.executable, str(fetch_script(folder))]}
        dataset = conversations(folder)
        os.sched_setaffinity(0, cores[:1])
        server = ServerProcess("--log-level-http", "warning", model=arguments.model)
        os.sched_setaffinity(0, cores[1:] or cores)
        try:
            for backend in arguments.backend:
                for load, load_options in LOADS.items():
                    options = ["--backend", backend, "--base-url", server.url, "--model", arguments.model, "--dataset-name", "random",
                               "--dataset-path", str(dataset), "--num-prompts", str(arguments.num_prompts), "--random-input-len", "96",
                               "--random-output-len", "64", "--random-range-ratio", "0.5", "--flush-cache", "--disable-tqdm",
                               "--output-details", *load_options]
                    wrong += print_ratios(f"{backend}, {load}", compare(clients, options, folder, arguments.rounds), arguments.tolerance)
        finally:
            server.stop()
    print("\n" + ("these do not agree: " + ", ".join(wrong) if wrong else "all figures agree, and every answer is the same"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
