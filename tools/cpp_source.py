"""What the checks of tools/ know about C++ text: which files there are, and code without comments and literals.

Not a parser: enough for include lines, function sizes and banned words, and it needs no compiler, so the commit hook is fast.
"""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
SUFFIXES = {".h", ".cc"}
ISA_FILE = re.compile(r"_(avx2|avx512|avx512bf16)\.cc$")

_RAW_STRING = r'R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)"'
_STRING = r'"(?:\\.|[^"\\\n])*"'
# A quote after a digit or letter is a digit separator (1'000) or ends a prefix that we do not use.
_CHAR = r"(?<![0-9A-Za-z_])'(?:\\.|[^'\\\n])+'"
_TOKEN = re.compile(rf"(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<literal>{_RAW_STRING}|{_STRING}|{_CHAR})", re.DOTALL)


def cpp_files(root=ROOT, folders=("src", "fuzz", "tests", "bench", "examples")):
    """All C++ files below `folders` of `root`, sorted."""
    found = []
    for folder in folders:
        found += [p for p in (root / folder).rglob("*") if p.suffix in SUFFIXES and p.is_file()]
    return sorted(found)


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


def strip_comments(text):
    """The same text with comments blanked out; lines keep their numbers."""
    return _TOKEN.sub(lambda m: _blank(m.group()) if m.lastgroup == "comment" else m.group(), text)


def strip_comments_and_literals(text):
    """The same text with comments and the insides of literals blanked out."""
    return _TOKEN.sub(lambda m: _blank(m.group()) if m.lastgroup == "comment" else '"' + _blank(m.group()[1:-1]) + '"', text)


def layers(root=ROOT):
    """{folder: line number of src/LAYERS counted from 0 without comments}."""
    lines = [line.split("#")[0].split() for line in (root / "src/LAYERS").read_text().splitlines()]
    return {name: rank for rank, names in enumerate(filter(None, lines)) for name in names}
