"""llama.cpp's server, built here for this processor: PyPI's source package of llama-cpp-python carries llama.cpp 0.5.0 whole, and no
registry has a build of the server for AVX-512. Takes some 15 minutes on two cores, once."""
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from peers import CACHE, call, last_line

PACKAGE = "llama-cpp-python==0.3.36"
FOLDER = CACHE / "llama-server"
OPTIONS = ["-DCMAKE_BUILD_TYPE=Release", "-DGGML_NATIVE=ON", "-DLLAMA_CURL=OFF", "-DLLAMA_OPENSSL=OFF", "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF",
           "-DLLAMA_BUILD_APP=OFF", "-DLLAMA_USE_PREBUILT_UI=OFF", "-DBUILD_SHARED_LIBS=OFF"]


def source():
    """The folder of llama.cpp's source, unpacked."""
    name = PACKAGE.replace("==", "-").replace("-cpp-python", "_cpp_python")
    if not (FOLDER / name).exists():
        archive = FOLDER / f"{name}.tar.gz"
        if not archive.exists():
            call([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(FOLDER), PACKAGE])
        with tarfile.open(archive) as packed:
            packed.extractall(FOLDER, filter="data")
    return FOLDER / name / "vendor/llama.cpp"


def install():
    """The program's path; builds it first where it is missing."""
    program = FOLDER / "build/bin/llama-server"
    if program.exists():
        return program
    FOLDER.mkdir(parents=True, exist_ok=True)
    print("building llama-server, once; some 15 minutes on two cores", file=sys.stderr, flush=True)
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    with open(FOLDER / "build.log", "w", encoding="utf-8") as log:
        for command in (["cmake", "-S", source(), "-B", FOLDER / "build", *generator, *OPTIONS],
                        ["cmake", "--build", FOLDER / "build", "--target", "llama-server", "--parallel", str(os.cpu_count())]):
            if subprocess.run([str(part) for part in command], stdout=log, stderr=subprocess.STDOUT, check=False).returncode != 0:
                raise RuntimeError(f"llama-server: {last_line(Path(log.name).read_text())}; {log.name} has more")
    return program


def describe(program):
    """What the program says of itself, but for the commit, which is that of whatever repository its folder lies in."""
    done = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False)
    lines = [re.sub(r" \(build.*?\)", "", line.strip()) for line in (done.stdout + done.stderr).splitlines() if line.startswith(("version", "built"))]
    return f"llama.cpp's llama-server, {', '.join(lines)} (PyPI {PACKAGE}, GGML_NATIVE)"
