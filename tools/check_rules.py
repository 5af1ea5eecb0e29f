#!/usr/bin/env python3
"""Checks words that the house rules ban (CONTRIBUTING.md): throw/abort/exit/printing in libraries, comparisons with the
identity of a scheme or an architecture outside its folder, TODO, and commented-out code.

Usage: check_rules.py [ROOT]. Prints file:line for each violation; exit 1 if there is one.
"""
import pathlib
import re
import sys

from cpp_source import ROOT, cpp_files, layers, strip_comments, strip_comments_and_literals

# Input gives a Result; only base (CHECK, progress) and the programs at the top end the process or print.
LIBRARY_BANS = [
    (re.compile(r"\bthrow\b"), "throw: errors are Result"),
    # Our own methods may be called abort(id).
    (re.compile(r"(?:\bstd::|(?<![\w>])::)(?:abort|exit|_exit|quick_exit|terminate)\s*\("
                r"|(?:^|[;{})]|\belse)\s*(?:(?:abort|terminate)\s*\(\s*\)|(?:_exit|exit|quick_exit)\s*\()"),
     "ends the process: return an error"),
    (re.compile(r"(?<![\w.>])(?:std::|::)?(?:printf|fprintf|puts|fputs|putchar)\s*\(|\bstd::(?:cout|cerr|clog)\b|\bfmt::print\b"),
     "prints: libraries return errors"),
]

_IDENTITY = r"\"(?:w\d+a\d+[\w-]*|\w+For(?:CausalLM|ConditionalGeneration)|llama|qwen\d\w*)\""
IDENTITY_BANS = [
    (re.compile(rf"(?:==|!=)\s*{_IDENTITY}|{_IDENTITY}\s*(?:==|!=)"), "compares with a scheme's or an architecture's name"),
    (re.compile(r"\b(?:model_type|architecture|arch_name|scheme_name)(?:\(\))?\s*(?:==|!=)\s*\""), "compares an identity"),
    (re.compile(r"\bswitch\s*\(\s*[\w.>()-]*(?:scheme|architecture|model_type)\b[\w.()]*\s*\)"), "switches on an identity"),
]
# Where names of schemes and architectures are defined, parsed and printed.
IDENTITY_HOMES = ("src/models/", "src/quant/", "src/formats/", "src/compress/")

TODO = re.compile(r"\b(?:TODO|FIXME|XXX)\b")
# A comment that is a whole statement. Examples in headers are indented by three spaces and pass.
DEAD_CODE = re.compile(
    r"^\s*// ?(?:return\b[^.]*;|[\w:.\[\]>-]+ [-+*/|&]?= [^.]*;|(?:[\w:]+(?:\.|->))*[\w:]+\([^)]*\);|(?:if|for|while) \(.*\{|\}|#include .*)\s*$")


def rules_for(where, ranks):
    """The (pattern, message, keep_literals) that apply to the file at `where`."""
    is_test = where.name.endswith(("_test.cc", "_bench.cc", "_fuzz.cc"))
    text = where.as_posix()
    if where.parts[0] != "src" or is_test:
        return
    folder = where.parts[1]
    if folder != "base" and ranks.get(folder, 0) < ranks["server"]:
        for pattern, message in LIBRARY_BANS:
            yield pattern, message, False
    if not text.startswith(IDENTITY_HOMES):
        for pattern, message in IDENTITY_BANS:
            yield pattern, message, True


def violations(root):
    ranks = layers(root)
    for path in cpp_files(root):
        where = path.relative_to(root)
        raw = path.read_text()
        rules = list(rules_for(where, ranks))
        code, bare = strip_comments(raw).splitlines(), strip_comments_and_literals(raw).splitlines()
        for number, line in enumerate(raw.splitlines(), 1):
            if TODO.search(line):
                yield f"{where}:{number}: TODO: finish it or file an issue"
            if DEAD_CODE.match(line) and not code[number - 1].strip():
                yield f"{where}:{number}: commented-out code: delete it"
            for pattern, message, keep_literals in rules:
                if pattern.search((code if keep_literals else bare)[number - 1]):
                    yield f"{where}:{number}: {message}: {line.strip()[:90]}"


def main():
    root = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT
    found = list(violations(root))
    print("\n".join(found + [f"rules: {len(found)} violations"]) if found else "rules: ok")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
