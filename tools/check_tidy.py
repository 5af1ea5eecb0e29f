#!/usr/bin/env python3
"""Runs clang-tidy-19 on the .cc files changed since a commit, newest change first, within a time budget.

A file that was clean with the same text, headers and .clang-tidy is not run again (build folder/tidy-cache).
Usage: check_tidy.py --build DIR [--since COMMIT | --all] [--budget-s N] [--jobs N]. Exit 1 if a file has a finding.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

from cpp_source import ROOT

INCLUDE = re.compile(rb'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)


def git(*arguments):
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True).stdout.split("\n")


def changed_files(since):
    """Paths changed since `since`, uncommitted ones first, then by newest commit; [] if git does not know."""
    names = git("ls-files", "--modified", "--others", "--exclude-standard") + git("diff", "--name-only", "--cached")
    names += git("log", "--format=", "--name-only", f"{since}..HEAD")
    return list(dict.fromkeys(name for name in names if name))


def default_base():
    """Where this branch left its upstream; where that says nothing (CI's clone) 50 commits back, the budget being the limit."""
    for other in ("@{upstream}", "origin/main"):
        base = git("merge-base", "HEAD", other)[0]
        if base and base != git("rev-parse", "HEAD")[0]:
            return base
    return (git("rev-list", "--first-parent", "--max-count=50", "HEAD") or ["HEAD"])[-2]


def fingerprint(path, compile_command):
    """Hash of the file's text, of all project headers that it reaches, of the command and of .clang-tidy."""
    digest = hashlib.sha256((ROOT / ".clang-tidy").read_bytes() + compile_command.encode())
    seen, queue = set(), [path]
    while queue:
        current = queue.pop()
        if current in seen or not current.is_file():
            continue
        seen.add(current)
        text = current.read_bytes()
        digest.update(text)
        queue += sorted(ROOT / "src" / name.decode() for name in INCLUDE.findall(text))
    return digest.hexdigest()


class Tidy:
    def __init__(self, build, deadline):
        self.build, self.deadline = build, deadline
        self.cache = build / "tidy-cache"
        self.cache.mkdir(exist_ok=True)

    def run(self, path, command):
        """"clean", "late" or the findings."""
        stamp = self.cache / fingerprint(path, command)
        if stamp.exists():
            return "clean"
        left_s = self.deadline - time.monotonic()
        if left_s <= 0:
            return "late"
        # Copies are cheap in tests.
        checks = ["--checks=-performance-*"] if path.name.endswith("_test.cc") else []
        try:
            done = subprocess.run(
                ["clang-tidy-19", "-p", self.build, "--quiet", "--extra-arg=-Wno-unknown-warning-option", *checks, str(path)],
                cwd=ROOT, capture_output=True, text=True, timeout=left_s)
        except subprocess.TimeoutExpired:
            return "late"
        if done.returncode == 0:
            stamp.touch()
            return "clean"
        return done.stdout.strip() or done.stderr.strip()


def select(arguments, commands):
    """The files to look at, in order."""
    if arguments.all:
        return sorted(commands)
    names = changed_files(arguments.since or default_base())
    return [ROOT / name for name in names if ROOT / name in commands]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--since")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--budget-s", type=float, default=600)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    entries = json.loads((arguments.build / "compile_commands.json").read_text())
    commands = {pathlib.Path(e["file"]): e["command"] for e in entries}
    files = select(arguments, commands)
    tidy = Tidy(arguments.build.resolve(), time.monotonic() + arguments.budget_s)
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        results = list(pool.map(lambda path: tidy.run(path, commands[path]), files))
    findings = [r for r in results if r not in ("clean", "late")]
    print("\n".join(findings), end="\n" if findings else "")
    late = results.count("late")
    skipped = f", {late} not reached in {arguments.budget_s:.0f} s" if late else ""
    print(f"tidy: {'ok' if not findings else f'{len(findings)} files with findings'} ({len(files) - late} files{skipped})")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
