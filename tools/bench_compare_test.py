"""Tests of tools/bench-compare: what it measures for which change, and what it calls a loss."""
import importlib.machinery
import importlib.util
import pathlib
import re
import unittest

LOADER = importlib.machinery.SourceFileLoader("bench_compare", str(pathlib.Path(__file__).resolve().with_name("bench-compare")))
bench_compare = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench_compare", LOADER))
LOADER.exec_module(bench_compare)


class Losses(unittest.TestCase):
    def test_a_loss_in_all_rounds_but_one(self):
        self.assertTrue(bench_compare.is_loss([0.90, 0.91, 0.93, 0.92, 1.05], 0.05))

    def test_noise_is_none(self):
        self.assertFalse(bench_compare.is_loss([0.80, 0.90, 0.93, 1.02, 1.05], 0.05), "two rounds say the contrary")
        self.assertFalse(bench_compare.is_loss([0.96, 0.97, 0.96], 0.05), "within the tolerance")
        self.assertFalse(bench_compare.is_loss([1.2, 1.3, 1.1], 0.05))

    def test_few_rounds(self):
        self.assertTrue(bench_compare.is_loss([0.9], 0.05))
        self.assertFalse(bench_compare.is_loss([0.85, 1.01], 0.05))


class Changes(unittest.TestCase):
    def test_kernels_by_their_folder(self):
        pattern, latencies = bench_compare.changed_cases(["README.md", "src/kernels/gemm_s8/gemm_s8_avx2.cc", "src/kernels/attention/a.cc"])
        self.assertTrue(latencies)
        for case in ("linear/w4a8/nz/qwen3-0.6b.down/m16", "linear/w8a8/nz/qwen3-0.6b.down/m512", "attention/bf16//qwen3-0.6b/m1"):
            self.assertTrue(re.search(pattern, case), case)
        for case in ("linear/w4a16/nz/qwen3-0.6b.down/m16", "linear/w4a8/nz/qwen3-8b.down/m16"):
            self.assertFalse(re.search(pattern, case), case)

    def test_operators_by_whole_models(self):
        self.assertEqual(bench_compare.changed_cases(["src/ops/linear.cc"]), (None, True))

    def test_nothing_else(self):
        self.assertEqual(bench_compare.changed_cases(["src/api/chat.cc", "src/kernels/README.md", "src/ops/linear_test.cc"]), (None, False))

    def test_patterns_match_cases_that_exist(self):
        folders = {path.name for path in (bench_compare.ROOT / "src/kernels").iterdir()}
        self.assertLessEqual({pathlib.Path(folder).name for folder in bench_compare.CASES}, folders)


if __name__ == "__main__":
    unittest.main()
