"""What loading a model takes in each engine: seconds from a cold and from a warm file, and memory at most and afterwards.

Files are made cold by posix_fadvise, which needs no rights. Tessera loads a quantized checkpoint in the Hugging Face layout, and a packed
file when it is started again; a peer loads its GGUF file and computes one token, so that what it only mapped has been read.
"""
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

FIELDS = ("load_s", "restart_s", "load_peak_mb", "resident_mb")


def make_cold(path):
    """Drops the pages of a file, or of all files in a folder, from the system's cache."""
    for file in [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]:
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def memory_mb(pid):
    """What is resident now, and what was at most."""
    text = Path(f"/proc/{pid}/status").read_text()
    now, most = (int(re.search(rf"{name}:\s*(\d+) kB", text)[1]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM"))
    return now, most


class TesseraLoads:
    """Checkpoints of one model in every scheme, below `folder`, which is removed at the end."""

    def __init__(self, config, folder, binaries, call):
        self.folder, self.binaries, self.call = folder, binaries, call
        self.floats = folder / "bf16"
        folder.mkdir(parents=True, exist_ok=True)
        call([binaries / "make_moe", self.floats, config])

    def remove(self):
        shutil.rmtree(self.folder)

    def quantized(self, scheme, lm_head):
        """The checkpoint in that scheme, made when it is first asked for."""
        directory = self.folder / scheme
        if not directory.exists():
            head = ["--lm-head", lm_head] if lm_head != "none" else []
            self.call([self.binaries / "tessera", "quantize", "--model-path", self.floats, "--output", directory, "--scheme", scheme, *head])
        return directory

    def measure(self, scheme, lm_head, threads):
        directory, packed = self.quantized(scheme, lm_head), self.folder / f"{scheme}.packed"
        if not packed.exists():
            self.call([self.binaries / "tessera", "pack", "--model-path", directory, "--output", packed])
        make_cold(directory)
        first, resident, peak = self.load(["--model-path", directory, "--threads", threads])
        again, _, _ = self.load(["--packed", packed, "--threads", threads])
        return dict(zip(FIELDS, (first, again, peak, resident)))

    def load(self, options):
        command = [str(part) for part in (self.binaries / "load_probe", "--hold", *options)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"load_probe: {process.communicate()[1].strip()}")
        now, most = memory_mb(process.pid)
        process.communicate()
        return json.loads(line)["seconds"], now, most
