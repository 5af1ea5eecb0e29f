#!/usr/bin/env python3
"""Asks the trained model held-out questions by the release binary, after five examples. Exit 1 when it gets less than 9 of 10 right.

usage: check.py [--model DIR] [--questions N]. Environment: TESSERA (default build/release/bin/tessera).
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DIRECTORY = ROOT / "models" / "arithmetic-moe"
TESSERA = os.environ.get("TESSERA", str(ROOT / "build/release/bin/tessera"))
EXPECTED = 0.9


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=DIRECTORY)
    parser.add_argument("--questions", type=int, default=50)
    arguments = parser.parse_args()
    done = subprocess.run(
        [TESSERA, "eval", "gsm8k", "--model-path", arguments.model, "--data-path", DIRECTORY / "test.jsonl", "--json",
         "--num-questions", str(arguments.questions), "--max-new-tokens", "128"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"check: tessera eval gsm8k: exit {done.returncode}: {done.stderr.strip()}")
    result = json.loads(done.stdout)
    print(f"check: accuracy {result['accuracy']:.3f} of {result['questions']} questions, invalid {result['invalid']:.3f}")
    if result["accuracy"] < EXPECTED:
        sys.exit(f"check: expected at least {EXPECTED}")


if __name__ == "__main__":
    main()
