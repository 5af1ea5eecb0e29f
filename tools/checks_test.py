"""Tests of the checks themselves: each must find what it is for, and pass what is right.

Run: python3 -m unittest discover --start-directory tools --pattern '*_test.py'
"""
import pathlib
import tempfile
import unittest

import check_isa_objects
import check_layers
import check_rules
import check_sizes
import cpp_source

LAYERS = "# comment\nbase\nquant text\nkernels\nserver\ncli\n"


class Tree(unittest.TestCase):
    """A scratch tree with src/LAYERS and the files of the test."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.root = pathlib.Path(scratch.name)
        self.write("src/LAYERS", LAYERS)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


class LayersTest(Tree):
    def found(self):
        return list(check_layers.violations(self.root))

    def test_earlier_lines_and_own_folder_pass(self):
        self.write("src/base/a.h", "#pragma once\n")
        self.write("src/quant/b.h", '#include <vector>\n#include "base/a.h"\n')
        self.write("src/quant/c.cc", '#include "quant/b.h"\n// #include "cli/x.h"\n/* \n#include "cli/x.h" */\n')
        self.assertEqual(self.found(), [])

    def test_later_line_same_line_and_absent_are_found(self):
        self.write("src/base/a.h", '\n#include "quant/b.h"\n')
        self.write("src/quant/b.h", '#include "text/d.h"\n')
        self.write("src/text/d.h", '  #  include "text/absent.h"\n#include "vector.h"\n')
        found = self.found()
        self.assertEqual([f.split(": ")[0] for f in found],
                         ["src/base/a.h:2", "src/quant/b.h:1", "src/text/d.h:1", "src/text/d.h:2"])
        self.assertIn("base may not include quant", found[0])
        self.assertIn("does not exist", found[2])

    def test_unknown_folder_and_foreign_header_are_found(self):
        self.write("src/utils/a.h", "")
        self.write("src/base/b.cc", '#include "textkit.h"\n')
        self.write("src/text/c.cc", '#include "textkit.h"\n')
        self.assertEqual(len(self.found()), 2)


class SizesTest(unittest.TestCase):
    def names(self, text):
        return [(name, first, lines) for name, first, lines in check_sizes.functions(text)]

    def test_functions_are_measured_not_scopes(self):
        text = 'namespace a {\nstruct B {\n  int c() const {\n    return 1;\n  }\n};\n\nvoid d(int x)\n{\n  if (x) {\n  }\n}\n}\n'
        self.assertEqual(self.names(text), [("c", 3, 3), ("d", 9, 4)])

    def test_braces_in_text_do_not_count(self):
        text = 'void f() {\n  g("{{{", \'{\', R"x(}}})x");  // }\n  int n = 1\'000;\n}\nvoid h() {\n}\n#define M {\n'
        self.assertEqual(self.names(text), [("f", 1, 4), ("h", 5, 2)])

    def test_initialised_tables_are_no_functions(self):
        self.assertEqual(self.names("constexpr int kTable[] = {\n1,\n2,\n};\nenum class E { kA, kB };\n"), [])


class RulesTest(Tree):
    def found(self, name, text):
        self.write(name, text)
        return [v.split(": ", 1)[0] for v in check_rules.violations(self.root)]

    def test_libraries_neither_end_nor_print(self):
        text = "void f() {\n  throw 1;\n  std::abort();\n  printf(\"x\");\n  std::cout << 1;\n  exit(1);\n}\n"
        self.assertEqual(self.found("src/quant/a.cc", text), [f"src/quant/a.cc:{n}" for n in range(2, 7)])

    def test_programs_tests_comments_and_methods_may(self):
        for name in ("src/cli/a.cc", "src/base/b.cc", "src/quant/a_test.cc"):
            self.assertEqual(self.found(name, "void f() {\n  std::abort();\n  printf(\"x\");\n}\n"), [])
        text = 'void f(T t) {\n  // never throw\n  t.abort(1);\n  g("exit(1)");\n  snprintf(b, 1, "x");\n}\nvoid T::abort(int id) {}\n'
        self.assertEqual(self.found("src/quant/c.cc", text), [])

    def test_identities_are_facts_not_cases(self):
        text = 'bool f() {\n  if (a == "w4a4") g();\n  switch (layer.scheme) {}\n  return model_type == "x" || b != "LlamaForCausalLM";\n}\n'
        self.assertEqual(self.found("src/kernels/a.cc", text),
                         ["src/kernels/a.cc:2", "src/kernels/a.cc:3", "src/kernels/a.cc:4", "src/kernels/a.cc:4"])
        self.assertEqual(self.found("src/kernels/a.cc", "bool f() {\n  return scheme.weight.bits == 4;\n}\n"), [])

    def test_unfinished_and_dead_code(self):
        text = "// TODO: later\n// return x;\n// x = y;\n// f(x);\nint a;  // f(x);\n// the sum is x = y; so it holds.\n//   f(example);\n"
        self.assertEqual(self.found("src/quant/a.cc", text), [f"src/quant/a.cc:{n}" for n in range(1, 5)])


class IsaTest(unittest.TestCase):
    def test_weak_symbols_are_recognised(self):
        self.assertTrue(check_isa_objects.WEAK.match("0000000000000000 W std::vector<int>::size() const"))
        self.assertTrue(check_isa_objects.WEAK.match("0000000000000010 u guard"))
        self.assertFalse(check_isa_objects.WEAK.match("0000000000000000 T tessera::kernels::avx2::f()"))
        self.assertFalse(check_isa_objects.WEAK.match("                 w __gmon_start__"))

    def test_isa_files_are_known_by_name(self):
        self.assertTrue(cpp_source.ISA_FILE.search("gemm_avx512bf16.cc"))
        self.assertFalse(cpp_source.ISA_FILE.search("gemm_avx512_test.cc"))


if __name__ == "__main__":
    unittest.main()
