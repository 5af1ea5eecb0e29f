#!/usr/bin/env python3
"""Checks sizes: no file over 800 lines, no C++ function over 100 lines outside src/kernels. Prints the largest of both.

Usage: check_sizes.py [--quiet] [ROOT]. --quiet prints violations only. Exit 1 if there is one.
"""
import pathlib
import re
import sys

from cpp_source import ROOT, SUFFIXES, cpp_files, strip_comments_and_literals

MAX_FILE_LINES = 800
MAX_FUNCTION_LINES = 100
SHOWN = 10
GENERATED_TABLES = set()  # paths that may be longer: generated tables of constants only

_PREPROCESSOR = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
_SCOPE = re.compile(r"\b(?:namespace|class|struct|union|enum)\b|\bextern\s*\"")
_NAME = re.compile(r"([A-Za-z_~][\w:~]*|operator\s*\S+?)\s*\(")


def source_files(root):
    yield from cpp_files(root)
    for folder, suffixes in (("tools", {".py"}), ("tests", {".py"}), ("rust", {".rs"}), ("cmake", {".cmake"})):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in suffixes and "target" not in path.parts:
                yield path


def functions(text):
    """(name, first line, number of lines) of each function body that is not inside another one."""
    code = _PREPROCESSOR.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), strip_comments_and_literals(text))
    stack = []  # (kind, name, line) of each open brace
    header_start, line = 0, 1
    for position, char in enumerate(code):
        if char == "\n":
            line += 1
        elif char == "{":
            header = code[header_start:position]
            inside_function = any(kind != "scope" for kind, _, _ in stack)
            if not inside_function and _SCOPE.search(header) and not header.rstrip().endswith(")"):
                stack.append(("scope", "", line))
            else:
                name = _NAME.search(header)
                stack.append(("function" if name and not inside_function else "other", name.group(1) if name else "", line))
            header_start = position + 1
        elif char == "}":
            if stack:
                kind, name, first = stack.pop()
                if kind == "function":
                    yield name, first, line - first + 1
            header_start = position + 1
        elif char == ";":
            header_start = position + 1


def measure(root):
    files, bodies = [], []
    for path in source_files(root):
        where = path.relative_to(root).as_posix()
        text = path.read_text(errors="replace")
        files.append((text.count("\n"), where))
        if path.suffix in SUFFIXES:
            bodies += [(lines, f"{where}:{first}: {name}") for name, first, lines in functions(text)]
    return sorted(files, reverse=True), sorted(bodies, reverse=True)


def main():
    arguments = [a for a in sys.argv[1:] if a != "--quiet"]
    root = pathlib.Path(arguments[0]).resolve() if arguments else ROOT
    files, bodies = measure(root)
    if "--quiet" not in sys.argv:
        for title, found in (("files", files), ("functions", bodies)):
            print(f"largest {title}:")
            print("\n".join(f"  {lines:5} {where}" for lines, where in found[:SHOWN]))
    problems = [f"{where}: {lines} lines, expected at most {MAX_FILE_LINES}"
                for lines, where in files if lines > MAX_FILE_LINES and where not in GENERATED_TABLES]
    problems += [f"{where}: {lines} lines, expected at most {MAX_FUNCTION_LINES}"
                 for lines, where in bodies if lines > MAX_FUNCTION_LINES and not where.startswith("src/kernels/")]
    print("\n".join(problems + [f"sizes: {len(problems)} violations"]) if problems else f"sizes: ok ({len(files)} files)")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
