"""`tessera bench serving` against SGLang's own script, the same server and the same requests: do the figures agree?

Usage: bench_serving_agreement.py MODEL_DIR [--rounds 3] [--tolerance 0.03]    (tests/conformance/run agreement)
Both send what the seed makes them send, in turns, first the one and then the other. Every answer must be the same text;
the median over rounds of the ratio of each figure must be within the tolerance, except those marked "shown": tails are what the
machine does now and then, and in a closed loop a millisecond's difference in the first arrivals decides which prompts share a step ever after,
so that only sums and means are the same from run to run. The server has one core and the clients another: a client that takes the
server's time would measure itself.
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

MEANS = ("duration", "request_throughput", "input_throughput", "output_throughput", "concurrency", "mean_e2e_latency_ms", "mean_ttft_ms",
         "mean_tpot_ms", "mean_itl_ms")
MEDIANS = ("median_e2e_latency_ms", "median_ttft_ms", "median_tpot_ms", "median_itl_ms")
TAILS = ("p95_itl_ms", "p99_e2e_latency_ms", "p99_ttft_ms", "p99_tpot_ms", "p99_itl_ms")
FIGURES = MEANS + MEDIANS + TAILS
SAME = ("completed", "total_input_tokens", "total_output_tokens", "total_output_tokens_retokenized", "input_lens", "output_lens",
        "generated_texts")
# Options of a load, and the figures that must agree.
LOADS = {
    "alone": (["--max-concurrency", "1"], MEANS + MEDIANS),
    "Poisson": (["--request-rate", "1.5"], MEANS + MEDIANS),
    "closed": (["--max-concurrency", "4"], MEANS),
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
    run_client(clients["tessera"], options, folder, "first")  # a server's first load is slower
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


def print_ratios(title, ratios, judged, tolerance):
    """Returns the figures that do not agree."""
    print(f"\n{title}: tessera bench serving / SGLang's script, median (lowest to highest)")
    wrong = []
    for figure, values in ratios.items():
        median = statistics.median(values)
        remark = "" if figure in judged else "  shown"
        if figure in judged and abs(median - 1) > tolerance:
            remark = "  <-- over the tolerance"
            wrong.append(f"{title}: {figure}")
        print(f"  {figure:<24} {median:6.3f}  ({min(values):.3f} to {max(values):.3f}){remark}", flush=True)
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="directory of the model to serve")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tolerance", type=float, default=0.03)
    parser.add_argument("--num-prompts", type=int, default=16)
    parser.add_argument("--backend", nargs="+", default=["sglang", "sglang-oai", "sglang-oai-chat"])
    parser.add_argument("--load", nargs="+", choices=list(LOADS), default=list(LOADS))
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
                for load in arguments.load:
                    load_options, judged = LOADS[load]
                    options = ["--backend", backend, "--base-url", server.url, "--model", arguments.model, "--dataset-name", "random",
                               "--dataset-path", str(dataset), "--num-prompts", str(arguments.num_prompts), "--random-input-len", "512",
                               "--random-output-len", "64", "--random-range-ratio", "0.5", "--flush-cache", "--disable-tqdm",
                               "--output-details", *load_options]
                    ratios = compare(clients, options, folder, arguments.rounds)
                    wrong += print_ratios(f"{backend}, {load}", ratios, judged, arguments.tolerance)
        finally:
            server.stop()
    print("\n" + ("these do not agree: " + ", ".join(wrong) if wrong else "they agree, and every answer is the same"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
