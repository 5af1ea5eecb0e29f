#!/usr/bin/env python3
"""Checks that every include of src/ points to an earlier line of src/LAYERS or to its own folder, and exists.

Usage: check_layers.py [ROOT]. Prints file:line for each violation; exit 1 if there is one.
"""
import pathlib
import re
import sys

from cpp_source import ROOT, cpp_files, layers, strip_comments

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
# Headers that do not lie in src/, and the layer that may use them (None: any).
OUTSIDE = {"tessera_version.h": None, "textkit.h": "text", "kernel_cases.h": "bench", "default_calibration_text.h": None, "dnnl.h": "bench"}


def check_include(header, folder, ranks, root):
    """What is wrong with including `header` from a file in `folder`, or None."""
    if header in OUTSIDE:
        owner = OUTSIDE[header]
        return None if owner in (None, folder) else f'"{header}" belongs to {owner}, not to {folder}'
    target = header.split("/")[0]
    if target not in ranks:
        return f'"{header}" does not begin with a folder of src/LAYERS'
    if not (root / "src" / header).is_file():
        return f'"{header}" does not exist in src/'
    if target != folder and ranks[target] >= ranks[folder]:
        return f"{folder} may not include {target}: src/LAYERS has {target} on the same or a later line"
    return None


def violations(root):
    ranks = layers(root)
    for path in cpp_files(root, ("src",)):
        where = path.relative_to(root)
        folder = where.parts[1]
        if folder not in ranks:
            yield f"{where}:1: folder {folder} is not in src/LAYERS"
            continue
        for number, line in enumerate(strip_comments(path.read_text()).splitlines(), 1):
            match = INCLUDE.match(line)
            problem = match and check_include(match.group(1), folder, ranks, root)
            if problem:
                yield f"{where}:{number}: {problem}"


def main():
    root = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT
    found = list(violations(root))
    print("\n".join(found + [f"layers: {len(found)} violations"]) if found else "layers: ok")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
