#!/usr/bin/env python3
"""One server, one load: starts it, asks it one thing, lets the client loose on it, stops it. Called by `serving`: the job is a JSON object on
standard input, one line of JSON comes out.

{"server": [COMMAND...], "client": [COMMAND...], "environment": {...}, "prompt": TEXT, "steady": true|false}

"{port}" in the commands becomes a free port. The client is `tessera bench serving`; its details are read, and left out of what is printed.
"""
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from loading import memory_mb
from peers import last_line

READY_S, CLIENT_S, STOP_S = 300, 1800, 30
KEPT = ("completed", "duration", "output_throughput", "total_throughput", "median_ttft_ms", "p99_ttft_ms", "median_itl_ms", "p99_itl_ms",
        "mean_itl_ms", "total_input_tokens", "total_output_tokens", "errors")
MIN_STEADY_STEPS = 16


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def fetch(url, body=None, timeout=60):
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return answer.read()


def wait_until_ready(process, url):
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            fetch(url + "/health", timeout=5)
            return
        except OSError:  # refused, or 503 while it loads
            time.sleep(0.1)
    raise RuntimeError("the server did not become ready")


def first_answer(url, prompt):
    """Of a prompt that the load does not have: what is set up by the first request. The prompt's tokens as the server counts them."""
    answer = json.loads(fetch(url + "/v1/completions", {"model": "default", "prompt": prompt, "max_tokens": 8, "temperature": 0, "ignore_eos": True}))
    usage = answer["usage"]
    if usage["completion_tokens"] != 8:
        raise RuntimeError(f"8 tokens asked for with ignore_eos, {usage['completion_tokens']} came")
    return usage["prompt_tokens"]


def token_times(details):
    """Seconds since the begin of the load at which each text of each answer came; for requests that were all sent at once."""
    for first, gaps in zip(details["ttfts"], details["itls"]):
        times = [first]
        for gap in gaps:
            times.append(times[-1] + gap)
        yield times


def steady_decode(details):
    """While all answers are under way, none still waits for its first token and none has ended: tokens per second, and behind how many
    tokens each stood on average. None where that lasts less than MIN_STEADY_STEPS."""
    answers = list(token_times(details))
    begin, end = max(times[0] for times in answers), min(times[-1] for times in answers)
    behind = [length + at for times, length in zip(answers, details["input_lens"]) for at, time_s in enumerate(times) if begin < time_s <= end]
    if len(behind) < MIN_STEADY_STEPS * len(answers):
        return None
    return {"tokens_per_s": len(behind) / (end - begin), "context": statistics.mean(behind), "steps": len(behind) / len(answers)}


def summary(record, job):
    kept = {key: record[key] for key in KEPT}
    kept["errors"] = sorted({error for error in kept["errors"] if error})
    # A text per token, or its gaps are not those between tokens.
    texts = sum(len(gaps) + 1 for gaps in record["itls"])
    kept["tokens_per_text"] = record["total_output_tokens"] / max(texts, 1)
    if job["steady"] and not kept["errors"]:
        kept["steady"] = steady_decode(record)
    return kept


def run(job, log, output):
    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    server, client = ([part.replace("{port}", port) for part in job[name]] for name in ("server", "client"))
    process = subprocess.Popen(server, stdout=log, stderr=subprocess.STDOUT, env=os.environ | job["environment"])
    try:
        wait_until_ready(process, url)
        prompt_tokens = first_answer(url, job["prompt"])
        done = subprocess.run([*client, "--output-file", output, "--output-details", "--disable-tqdm"], capture_output=True, text=True,
                              check=False, timeout=CLIENT_S)
        if done.returncode != 0:
            raise RuntimeError(f"client: {last_line(done.stderr)}")
        _, most = memory_mb(process.pid)
        return summary(json.loads(Path(output).read_text()), job) | {"prompt_tokens": prompt_tokens, "server_peak_mb": most}
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main():
    job = json.load(sys.stdin)
    with tempfile.TemporaryFile(mode="w+") as log, tempfile.TemporaryDirectory() as folder:
        try:
            print(json.dumps(run(job, log, str(Path(folder, "record.jsonl")))))
        except (RuntimeError, OSError, subprocess.TimeoutExpired, KeyError, ValueError) as error:
            log.seek(0)
            print(json.dumps({"error": f"{error}; its log ends: {last_line(log.read())}"}))


if __name__ == "__main__":
    main()
