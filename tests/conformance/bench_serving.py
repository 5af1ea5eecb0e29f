"""SGLang's serving benchmark against the server: all three backends, every request must succeed.

The script itself comes from the sglang package on PyPI, without the rest of it (see requirements_more.txt), and runs outside the
tree; its dataset is a file made here, in ShareGPT's form. Run by tests/conformance/run.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

from server_process import MODEL, ROOT, ServerProcess

SGLANG = "sglang==0.5.5"
PROMPTS = 64


def fetch_script(folder):
    """bench_serving.py of the pinned package; `datasets` is needed for data that is not used here."""
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                    "--only-binary", ":all:", "--dest", str(folder), SGLANG], check=True)
    with zipfile.ZipFile(next(folder.glob("sglang-*.whl"))) as wheel:
        (folder / "bench_serving.py").write_bytes(wheel.read("sglang/bench_serving.py"))
    (folder / "datasets.py").write_text("load_dataset = None\n")
    return folder / "bench_serving.py"


def long_context_model(folder):
    """The tiny model with room for 256 + 64 tokens: its weights are random anyway."""
    model = folder / "model"
    shutil.copytree(MODEL, model)
    config = json.loads((model / "config.json").read_text())
    config["max_position_embeddings"] = 1024
    (model / "config.json").write_text(json.dumps(config))
    return model


def conversations(folder):
    """Prose, cut into conversations of two turns."""
    prose = pathlib.Path(ROOT, "tests", "data", "prose.txt").read_text(encoding="utf-8")
    size = len(prose) // (2 * PROMPTS)
    turns = [prose[at * size:(at + 1) * size] for at in range(2 * PROMPTS)]
    data = [{"conversations": [{"value": one}, {"value": two}]} for one, two in zip(turns[::2], turns[1::2])]
    (folder / "sharegpt.json").write_text(json.dumps(data))
    return folder / "sharegpt.json"


class BenchServing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.script = fetch_script(cls.folder)
        cls.dataset = conversations(cls.folder)
        cls.model = long_context_model(cls.folder)
        cls.server = ServerProcess("--log-level-http", "warning", model=str(cls.model))
        cls.addClassCleanup(cls.server.stop)

    def bench(self, backend):
        result = subprocess.run(
            [sys.executable, str(self.script), "--backend", backend, "--base-url", self.server.url, "--dataset-name", "random",
             "--dataset-path", str(self.dataset), "--model", str(self.model), "--random-input-len", "256", "--random-output-len", "64",
             "--num-prompts", str(PROMPTS), "--max-concurrency", "64", "--flush-cache", "--disable-tqdm",
             "--output-file", str(self.folder / f"{backend}.jsonl")],
            cwd=self.folder, capture_output=True, text=True, timeout=900, env={**os.environ, "HF_HUB_OFFLINE": "1"})
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        found = re.search(r"Successful requests:\s+(\d+)", result.stdout)
        self.assertTrue(found, result.stdout + result.stderr)
        self.assertEqual(int(found[1]), PROMPTS, result.stdout + result.stderr)
        record = json.loads((self.folder / f"{backend}.jsonl").read_text())
        self.assertEqual(record["completed"], PROMPTS)
        self.assertGreater(record["total_output_tokens"], 0)
        self.assertIn("version", record["server_info"], "the benchmark could not read /get_server_info")

    def test_native(self):
        self.bench("sglang")

    def test_completions(self):
        self.bench("sglang-oai")

    def test_chat(self):
        self.bench("sglang-oai-chat")


if __name__ == "__main__":
    unittest.main(verbosity=2)
