#!/usr/bin/env python3
"""Checks that code compiled for one instruction set cannot leak into the rest of the program.

An inline or template function that an ISA file instantiates is a weak symbol; the linker may keep *that* copy for every
caller, and the program dies with SIGILL on older CPUs. So: ISA files (*_avx2.cc, *_avx512.cc, *_avx512bf16.cc) include
little, and their objects define no weak symbols.

Usage: check_isa_objects.py [BUILD_DIR]. Without a build folder only the includes are checked. Exit 1 on a violation.
"""
import pathlib
import re
import subprocess
import sys

from cpp_source import ISA_FILE, ROOT, cpp_files, strip_comments

ALLOWED_SYSTEM = {"immintrin.h", "stdint.h", "stddef.h", "math.h", "float.h", "string.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')
# nm: W and V are weak symbols that are defined, u is a unique global (a static local of an inline function).
WEAK = re.compile(r"^[0-9a-f]+ ([WVu]) (.*)$")


def include_violations(path):
    for number, line in enumerate(strip_comments(path.read_text()).splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        kind, header = match.groups()
        if not (header in ALLOWED_SYSTEM if kind == "<" else header.startswith(("kernels/", "quant/"))):
            yield f"{path.relative_to(ROOT)}:{number}: an ISA file may not include {header}"


def object_violations(build):
    """Weak symbols of ISA objects, and None first if there is no such object."""
    objects = sorted(p for p in build.rglob("*.o") if ISA_FILE.search(p.name[:-2]))
    for path in objects:
        symbols = subprocess.run(["nm", "--demangle", path], check=True, capture_output=True, text=True).stdout
        for line in symbols.splitlines():
            match = WEAK.match(line)
            if match:
                yield f"{path.relative_to(build)}: defines the weak symbol {match.group(2)}"
    if not objects:
        yield f"{build}: no ISA objects found, expected *_avx2.cc.o and others: build first"


def main():
    files = [p for p in cpp_files(ROOT, ("src",)) if ISA_FILE.search(p.name)]
    found = [violation for path in files for violation in include_violations(path)]
    if len(sys.argv) > 1:
        found += object_violations(pathlib.Path(sys.argv[1]).resolve())
    print("\n".join(found + [f"isa: {len(found)} violations"]) if found else f"isa: ok ({len(files)} files)")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
