"""What the scripts here share: where peers are kept and how they are installed, this machine, running commands, medians as text."""
import os
import platform
import re
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("TESSERA_PEERS", Path.home() / ".cache/tessera/peers"))
NPM_PACKAGE, IK_PACKAGE = "@node-llama-cpp/linux-x64@3.22.1", "ik-llama-cpp-python==0.1.5"
OPENVINO_PACKAGE = "openvino-genai==2026.4.1.0"
PYPI_PACKAGES = {"ik_llama.cpp": (IK_PACKAGE, "ik_llama_cpp"), "openvino": (OPENVINO_PACKAGE, "openvino_genai"), "numpy": ("numpy==2.4.6", "numpy")}
# Looked at on 2026-11-23, and listed as such in every result.
NOT_INSTALLABLE = {"vllm": "PyPI's vllm 0.33.0 is built for CUDA (it requires flashinfer-python and nvidia-cutlass-dsl, and has no kernels "
                           "for CPUs); vLLM's own wheels for CPUs are not on PyPI"}


def physical_cores():
    """Cores, not hardware threads, that this process may use."""
    cores = set()
    for cpu in os.sched_getaffinity(0):
        try:
            cores.add(Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list").read_text())
        except OSError:
            cores.add(cpu)
    return len(cores)


def cpu_name():
    found = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.processor()


def last_line(text):
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no message"


def call(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{Path(command[0]).name}: exit code {done.returncode}: {last_line(done.stderr)}")
    return done.stdout


def install(peer):
    """The folder of the peer's shared libraries, or of its Python package."""
    CACHE.mkdir(parents=True, exist_ok=True)
    if peer in NOT_INSTALLABLE:
        raise RuntimeError(NOT_INSTALLABLE[peer])
    if peer == "llama.cpp":
        folder = CACHE / "npm/node_modules/@node-llama-cpp/linux-x64/bins/linux-x64"
        if not folder.exists():
            call(["npm", "install", "--prefix", str(CACHE / "npm"), "--no-audit", "--no-fund", NPM_PACKAGE])
        return folder
    package, module = PYPI_PACKAGES[peer]
    folder = CACHE / peer
    if not (folder / module).exists():
        call([sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), package])
    return folder


def shown(values):
    """Median and half the range, in percent of it; values that are no numbers are messages."""
    numbers = [value for value in values if isinstance(value, float)]
    if not numbers:
        return "-"
    middle = statistics.median(numbers)
    return f"{middle:.{1 if middle >= 10 else 3}f} ±{(max(numbers) - min(numbers)) / 2 / middle * 100:.0f}%"
