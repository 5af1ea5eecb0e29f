#!/usr/bin/env python3
"""The command line as a user meets it: exit codes (0 done, 1 failed, 2 usage), help, and one line of error for broken files.

Environment: TESSERA, the binary. Run by ctest; by hand: TESSERA=build/dev/bin/tessera python3 tests/cli/cli_test.py
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import broken_files

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODELS = ROOT / "tests/golden/models"
QUANTIZED = ROOT / "tests/golden/quant_models"
MODELSLIM = ROOT / "tests/golden/modelslim"
GGUF = ROOT / "tests/golden/gguf/llama.gguf"
TESSERA = os.environ.get("TESSERA", str(ROOT / "build/dev/bin/tessera"))
COMMANDS = ("serve", "chat", "generate", "logits", "quantize", "import", "pack", "inspect", "bench", "version")
SECONDS = 60  # a sanitizer build on a busy machine
BENCH_SECONDS = 240  # the same: it touches a gigabyte


def run(*arguments, seconds=SECONDS):
    """(exit code, standard output, standard error)"""
    done = subprocess.run([TESSERA, *map(str, arguments)], capture_output=True, text=True, errors="replace",
                          timeout=seconds, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout, done.stderr


class CliTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory(prefix="tessera-cli-")
        self.addCleanup(scratch.cleanup)
        self.scratch = pathlib.Path(scratch.name)

    def copy(self, model):
        folder = self.scratch / "model"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(model, folder)
        return folder

    def assert_one_line(self, result, *words):
        code, out, err = result
        self.assertEqual(code, 1, f"exit code {code}\n{out}\n{err[:2000]}")
        self.assertEqual(err.count("\n"), 1, f"expected one line on standard error, found:\n{err[:2000]}")
        self.assertGreater(len(err), 20, err)
        for word in words:
            self.assertIn(word, err)

    def logits(self, folder):
        return run("logits", "--model-path", folder, "--input-ids", "1,2,3", "--output", self.scratch / "logits.safetensors")

    def check_broken(self, model, breakers, command=None):
        good = self.copy(model)
        code, _, err = (command or self.logits)(good)
        self.assertEqual(code, 0, f"the good copy must load: {err}")
        for name, breaker in breakers.items():
            with self.subTest(name):
                folder = self.copy(model)
                breaker(folder)
                self.assert_one_line((command or self.logits)(folder))


class UsageTest(CliTest):
    def test_version_names_version_commit_and_isa(self):
        code, out, err = run("version")
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"\d+\.\d+\.\d+")
        self.assertRegex(out, r"scalar.*avx2.*avx512")

    def test_help_of_every_command(self):
        code, out, _ = run("--help")
        self.assertEqual(code, 0)
        for command in COMMANDS:
            self.assertIn(command, out)
            with self.subTest(command):
                code, text, err = run(command, "--help")
                self.assertEqual((code, err), (0, ""))
                self.assertIn("--help", text)

    def test_usage_errors_are_2(self):
        for arguments in ((), ("fly",), ("serve",), ("serve", "--model-path"), ("generate", "--no-such-option"),
                          ("serve", "--model-path", "x", "--port", "many"), ("quantize", "--model-path", "x"), ("import",)):
            with self.subTest(arguments):
                code, _, err = run(*arguments)
                self.assertEqual(code, 2, err)
                self.assertNotEqual(err, "")

    def test_absent_inputs_are_one_line(self):
        absent = self.scratch / "absent"
        for arguments in (("serve", "--model-path", absent), ("generate", "--model-path", absent, "--prompt", "x"),
                          ("logits", "--model-path", absent, "--input-ids", "1", "--output", self.scratch / "o"),
                          ("inspect", absent), ("import", absent, "--output", self.scratch / "o"),
                          ("quantize", "--model-path", absent, "--output", self.scratch / "o", "--scheme", "w8a8")):
            with self.subTest(arguments[0]):
                self.assert_one_line(run(*arguments), "absent")

    def test_bad_values_are_one_line(self):
        model = MODELS / "llama"
        out = self.scratch / "out"
        for arguments, word in (
                (("quantize", "--model-path", model, "--output", out, "--scheme", "w5a5"), "w5a5"),
                (("quantize", "--model-path", model, "--output", MODELS, "--scheme", "w8a8"), "models"),
                (("logits", "--model-path", model, "--input-ids", "1,x", "--output", out), "x"),
                (("logits", "--model-path", model, "--input-ids", "99999999", "--output", out), "99999999"),
                (("serve", "--model-path", model, "--host", "not.a.host.invalid", "--port", "0"), "not.a.host.invalid")):
            with self.subTest(word):
                code, _, err = run(*arguments)
                self.assertIn(code, (1, 2), err)
                self.assertIn(word, err)
                self.assertEqual(err.count("\n"), 1, err)


class BenchTest(CliTest):
    def test_kernels_json(self):
        code, out, err = run("bench", "kernels", "--case", "^linear/w4a8/nz/smollm2-135m.o/m4$", "--isa", "avx2", "--threads", "1",
                             "--seconds", "0", "--json", seconds=BENCH_SECONDS)
        self.assertEqual((code, err), (0, ""))
        report = json.loads(out)
        self.assertEqual(report["machine"]["isa"], "avx2")
        self.assertGreater(report["machine"]["peaks"]["avx2_int8_gmacs"], 0)
        (case,) = report["cases"]
        self.assertEqual((case["m"], case["n"], case["k"], case["scheme"]), (4, 576, 576, "w4a8"))
        self.assertGreater(case["fraction_of_peak"], 0)

    def test_latency_of_a_model_without_weights(self):
        code, out, err = run("bench", "latency", "--config", MODELS / "qwen3/config.json", "--load-format", "dummy", "--scheme", "w8a8",
                             "--weight-layout", "nz", "--batch", "1,2", "--prompt", "8", "--decode", "4", "--seconds", "0", "--json", seconds=BENCH_SECONDS)
        self.assertEqual(code, 0, err)
        report = json.loads(out)
        self.assertEqual((report["scheme"], report["layout"]), ("w8a8", "nz"))
        self.assertEqual([(run["batch"], run["prompt"], run["decode"]) for run in report["runs"]], [(1, 8, 4), (2, 8, 4)])
        self.assertTrue(all(run["decode_tokens_per_s"] > 0 for run in report["runs"]))

    def test_generate_with_dummy_weights(self):
        folder = self.copy(MODELS / "llama")
        for file in folder.glob("*.safetensors"):
            file.unlink()
        code, out, err = run("generate", "--model-path", folder, "--load-format", "dummy", "--quantization", "w8a8_int8", "--input-ids",
                             "1,2,3", "--max-new-tokens", "4", "--ignore-eos", "--json")
        self.assertEqual(code, 0, err)
        self.assertEqual(json.loads(out)["completion_tokens"], 4)

    def test_usage(self):
        for arguments in (("bench",), ("bench", "fly"), ("bench", "latency"), ("bench", "kernels", "--isa", "mmx")):
            with self.subTest(arguments):
                self.assertEqual(run(*arguments)[0], 2)
        self.assert_one_line(run("bench", "kernels", "--case", "no such case"), "no such case")
        self.assert_one_line(run("bench", "latency", "--config", self.scratch / "absent.json"), "absent.json")
        self.assert_one_line(run("bench", "serving", "--port", "1"), "127.0.0.1 port 1")


class BrokenFilesTest(CliTest):
    def test_safetensors(self):
        self.check_broken(MODELS / "llama", broken_files.SAFETENSORS)

    def test_index(self):
        self.check_broken(MODELS / "llama-sharded", broken_files.INDEX)

    def test_config(self):
        self.check_broken(MODELS / "llama", broken_files.CONFIG)

    def test_tokenizer(self):
        def generate(folder):
            return run("generate", "--model-path", folder, "--prompt", "hello", "--max-new-tokens", "2")
        self.check_broken(MODELS / "llama", broken_files.TOKENIZER, generate)

    def test_quantization_config(self):
        self.check_broken(QUANTIZED / "qwen3-w8a8", broken_files.QUANTIZATION)

    def test_quant_model_description(self):
        self.check_broken(MODELSLIM / "qwen3-w4a4-w8a8", broken_files.MODELSLIM)

    def test_gguf(self):
        code, _, err = run("import", GGUF, "--output", self.scratch / "good")
        self.assertEqual(code, 0, err)
        for name, data in broken_files.gguf_cases(GGUF.read_bytes()).items():
            with self.subTest(name):
                path = self.scratch / "broken.gguf"
                path.write_bytes(data)
                self.assert_one_line(run("import", path, "--output", self.scratch / "out"), "broken.gguf")
                self.assertFalse((self.scratch / "out/config.json").exists())

    def test_quantize_refuses_what_is_broken(self):
        for name in ("half", "header length lies", "tensors overlap"):
            with self.subTest(name):
                folder = self.copy(MODELS / "llama")
                broken_files.SAFETENSORS[name](folder)
                out = self.scratch / "out"
                self.assert_one_line(run("quantize", "--model-path", folder, "--output", out, "--scheme", "w8a8"))
                self.assertFalse((out / "config.json").exists())

    def test_inspect_of_broken_files(self):
        for name in ("half", "header length lies", "tensors overlap"):
            with self.subTest(name):
                folder = self.copy(MODELS / "llama")
                broken_files.SAFETENSORS[name](folder)
                self.assert_one_line(run("inspect", folder))


class WorkTest(CliTest):
    def test_import_quantize_inspect_generate(self):
        imported, quantized = self.scratch / "imported", self.scratch / "quantized"
        self.assertEqual(run("import", GGUF, "--output", imported)[0], 0)
        code, _, err = run("quantize", "--model-path", imported, "--output", quantized, "--scheme", "w8a8")
        self.assertEqual(code, 0, err)
        code, out, err = run("inspect", quantized, "--json")
        self.assertEqual(code, 0, err)
        self.assertIn('"w8a8"', out)
        code, out, err = run("generate", "--model-path", MODELS / "qwen3", "--prompt", "hello", "--max-new-tokens", "3", "--json")
        self.assertEqual(code, 0, err)
        self.assertIn('"output_ids"', out)

    def test_modelslim_directories(self):
        folders = sorted(MODELSLIM.iterdir())
        self.assertGreaterEqual(len(folders), 4)
        for folder in folders:
            with self.subTest(folder.name):
                code, out, err = run("inspect", folder, "--json")
                self.assertEqual(code, 0, err)
                inspection = json.loads(out)
                self.assertEqual((inspection["format"], inspection["refusals"]), ("modelslim", []))
                code, out, err = run("generate", "--model-path", folder, "--prompt", "The harbour", "--max-new-tokens", "3", "--json")
                self.assertEqual(code, 0, err)
                self.assertEqual(json.loads(out)["completion_tokens"], 3)

    def test_quantize_to_modelslim(self):
        quantized = self.scratch / "quantized"
        code, _, err = run("quantize", "--model-path", MODELS / "qwen3", "--output", quantized, "--scheme", "w4a4-w8a8",
                           "--format", "modelslim")
        self.assertEqual(code, 0, err)
        names = {path.name for path in quantized.iterdir()}
        self.assertLessEqual({"quant_model_description.json", "quant_model_weights.safetensors", "config.json"}, names)
        code, out, err = run("generate", "--model-path", quantized, "--quantization", "modelslim", "--prompt", "hello",
                             "--max-new-tokens", "3", "--json")
        self.assertEqual(code, 0, err)

    def generated(self, *arguments):
        code, out, err = run("generate", "--input-ids", "5,6,7", "--max-new-tokens", "8", "--json", *arguments)
        self.assertEqual(code, 0, err)
        return json.loads(out)["output_ids"]

    def test_quantized_head_of_a_tied_model(self):
        out = self.scratch / "out"
        code, _, err = run("quantize", "--model-path", MODELS / "qwen3", "--output", out, "--scheme", "w4a8", "--lm-head", "w8a8")
        self.assertEqual(code, 0, err)
        self.assertFalse(json.loads((out / "config.json").read_text())["tie_word_embeddings"])
        code, text, err = run("inspect", out, "--json")
        self.assertEqual(code, 0, err)
        inspection = json.loads(text)
        self.assertEqual(inspection["schemes"]["w8a8"]["linears"], 1)
        self.assertEqual(inspection["refusals"], [])
        self.assertEqual(len(self.generated("--model-path", out)), 8)

    def test_quantization_at_load_is_what_quantize_writes(self):
        out = self.scratch / "out"
        model = MODELS / "qwen3"
        self.assertEqual(run("quantize", "--model-path", model, "--output", out, "--scheme", "w4a8")[0], 0)
        written = self.generated("--model-path", out, "--quantization", "compressed-tensors")
        self.assertEqual(written, self.generated("--model-path", model, "--quantization", "w4a8_int8"))
        self.assertEqual(written, self.generated("--model-path", out, "--quantization", "w4a8_int8"))

    def test_quantization_insists(self):
        model = QUANTIZED / "qwen3-w8a8"
        for wanted, word in (("w4a4_int4", "is w8a8"), ("none", "compressed-tensors"), ("w5a5", "w8a8_int8")):
            with self.subTest(wanted):
                self.assert_one_line(run("generate", "--model-path", model, "--prompt", "x", "--quantization", wanted), wanted, word)

    def test_a_packed_file_answers_as_the_directory_and_needs_nothing_else(self):
        model, file, cache = self.copy(QUANTIZED / "qwen3-w8a8"), self.scratch / "model.packed", self.scratch / "cache"
        read = self.generated("--model-path", model)
        self.assertEqual(run("pack", "--model-path", model, "--output", file)[0], 0)
        self.assertEqual(self.generated("--packed", file, "--model-path", model), read)
        for _ in range(2):
            self.assertEqual(self.generated("--packed-cache", cache, "--model-path", model), read)
        self.assertEqual(len(list(cache.glob("*.packed"))), 1)
        (model / "config.json").write_text((model / "config.json").read_text() + " ")
        self.assert_one_line(run("generate", "--packed", file, "--model-path", model, "--prompt", "x"), "stale", "config.json")
        shutil.rmtree(model)
        self.assertEqual(self.generated("--packed", file), read)

    def test_eval(self):
        text, page, tokens = self.scratch / "text.txt", self.scratch / "page.html", self.scratch / "tokens.tsv"
        text.write_text("The quick brown fox jumps over the lazy dog. " * 20)
        exact, coarse = MODELS / "qwen3-moe", f"{MODELS / 'qwen3-moe'},quantization=w4a4_int4,name=four bits"
        common = ("--text", text, "--context", 64, "--json")
        code, out, err = run("eval", "kl", "--model-path", exact, "--quantization", "w8a8_int8", "--reference", exact,
                             "--per-token", tokens, *common)
        self.assertEqual(code, 0, err)
        found = json.loads(out)
        self.assertTrue(0 < found["mean_kl"] < 0.1, out)
        self.assertEqual(len(tokens.read_text().splitlines()), found["tokens"] + 1)

        questions = self.scratch / "questions.jsonl"
        questions.write_text("".join(json.dumps({"question": f"What is {n}?", "answer": f"#### {n}"}) + "\n" for n in range(3, 7)))
        gsm8k = ("--data-path", questions, "--num-shots", 1, "--max-new-tokens", 4)
        code, out, err = run("eval", "gsm8k", "--model-path", exact, *gsm8k)
        self.assertEqual(code, 0, err)
        self.assertRegex(out, r"^Accuracy: \d\.\d{3}\nInvalid: \d\.\d{3}\nLatency: .* s\nOutput throughput: .* token/s\n$")

        code, out, err = run("eval", "compare", exact, coarse, "--html", page, "--decode", 2, "--repeats", 1, *gsm8k, *common)
        self.assertEqual(code, 0, err)
        rows = json.loads(out)["models"]
        self.assertEqual([row["name"] for row in rows], [str(exact), "four bits"])
        self.assertLess(rows[1]["bytes"], rows[0]["bytes"])
        self.assertGreater(rows[1]["mean_kl"], 0)
        self.assertIn("accuracy", rows[1])
        self.assertIn("<svg", page.read_text())
        self.assert_one_line(run("eval", "compare", f"{exact},colour=red", "--text", text), "colour=red", "weight-layout=")
        self.assertEqual(run("eval", "gsm8k", "--data-path", questions)[0], 2)
        self.assertEqual(run("eval")[0], 2)

    def test_existing_output_is_refused_without_force(self):
        out = self.scratch / "out"
        out.mkdir()
        (out / "precious").write_text("x")
        self.assert_one_line(run("import", GGUF, "--output", out), "out")
        self.assert_one_line(run("quantize", "--model-path", MODELS / "llama", "--output", out, "--scheme", "w8a8"), "out")
        self.assertEqual(run("import", GGUF, "--output", out, "--force")[0], 0)


class InterruptedQuantizeTest(CliTest):
    def command(self, output):
        return [TESSERA, "quantize", "--model-path", str(MODELS / "qwen3-moe"), "--output", str(output), "--scheme", "w4a8",
                "--group-size", "channel", "--method", "gptq", "--calibration-length", "256"]

    @staticmethod
    def layers_done(output):
        try:
            return json.loads((output / "quantize.state.json").read_text())["layers"]
        except FileNotFoundError:
            return 0

    def kill_midway(self, output):
        """SIGKILL once the first layer is done. False: it was too quick."""
        running = subprocess.Popen(self.command(output), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(running.wait)
        self.addCleanup(running.kill)
        deadline = time.monotonic() + SECONDS
        while self.layers_done(output) == 0 and running.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        running.kill()
        return running.wait() == -signal.SIGKILL

    def test_goes_on_to_the_same_bytes_after_a_kill(self):
        whole, killed = self.scratch / "whole", self.scratch / "killed"
        done = subprocess.run(self.command(whole), capture_output=True, text=True, timeout=SECONDS)
        if "libopenblas" in done.stderr:
            self.skipTest("libopenblas0-pthread is not installed")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(self.kill_midway(killed), "the run was over before it could be killed")
        self.assertFalse((killed / "config.json").exists())
        self.assert_one_line(run("quantize", "--model-path", MODELS / "qwen3-moe", "--output", killed, "--scheme", "w8a8"),
                             "unfinished work of another command")
        again = subprocess.run(self.command(killed), capture_output=True, text=True, timeout=SECONDS)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("going on after", again.stderr)
        for file in ("model.safetensors", "config.json"):
            self.assertEqual((killed / file).read_bytes(), (whole / file).read_bytes(), file)
        self.assertEqual(sorted(os.listdir(killed)), sorted(os.listdir(whole)))


if __name__ == "__main__":
    unittest.main()
