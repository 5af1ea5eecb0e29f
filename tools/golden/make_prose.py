#!/usr/bin/env python3
"""Writes tests/data/prose.txt, the text on which perplexity is measured, and src/compress/calibrate/default_text.txt, on which
`quantize` calibrates unless told otherwise: Jane Austen, Northanger Abbey and the beginning of Emma (public domain).

usage: make_prose.py r-cran-janeaustenr_1.0.0-1_all.deb      (apt-get download r-cran-janeaustenr; R is not needed)
"""

import hashlib
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MEASURED, CALIBRATION = ROOT / "tests/data/prose.txt", ROOT / "src/compress/calibrate/default_text.txt"
CALIBRATION_BYTES = 400_000  # at least; whole paragraphs
DATABASE = "usr/lib/R/site-library/janeaustenr/data/Rdata.rdb"
LAST_LINE = "A NOTE ON THE TEXT"  # a modern editor's, in one of the books
SHA256 = "df6bddf211906d1ff404f8ff662c21b34e6660e7f54a311084e749050c019c95"


def entries(database: bytes):
    """R's lazy-load database: length of the plain data (4 bytes, big-endian), then a zlib stream, again and again."""
    while database:
        (size,) = struct.unpack(">I", database[:4])
        stream = zlib.decompressobj()
        data = stream.decompress(database[4:])
        assert len(data) == size
        yield data
        database = stream.unused_data


def strings(serialized: bytes) -> list[str]:
    """A character vector in R's XDR serialization, version 3: 23 bytes of header, then flags, length and bytes of each."""
    assert serialized[:2] == b"X\n" and serialized[18:23] == b"UTF-8"
    (kind, count), at, result = struct.unpack(">II", serialized[23:31]), 31, []
    assert kind & 0xFF == 16, "not a character vector"
    for _ in range(count):
        _, length = struct.unpack(">Ii", serialized[at:at + 8])
        result.append(serialized[at + 8:at + 8 + length].decode("utf-8"))
        at += 8 + length
    return result


def paragraphs(lines: list[str]) -> list[str]:
    """Chapters only, without title page and editor's note; a paragraph becomes one line."""
    start = next(i for i, line in enumerate(lines) if line.upper().startswith(("CHAPTER 1", "CHAPTER I")))
    end = next((i for i, line in enumerate(lines) if line.strip().upper() == LAST_LINE), len(lines))
    blocks = "\n".join(line.strip() for line in lines[start:end]).split("\n\n")
    return [" ".join(block.split()) for block in blocks if block.strip()]


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    package = Path(sys.argv[1])
    assert hashlib.sha256(package.read_bytes()).hexdigest() == SHA256, "another version of the package"
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(["dpkg-deb", "-x", package, directory], check=True)
        books = [strings(e) for e in entries((Path(directory) / DATABASE).read_bytes())]
    by_title = {book[0]: paragraphs(book) for book in books if book[0] in ("NORTHANGER ABBEY", "EMMA")}
    write(MEASURED, by_title["NORTHANGER ABBEY"])
    size, beginning = 0, []
    for paragraph in by_title["EMMA"]:
        if size < CALIBRATION_BYTES:
            beginning.append(paragraph)
            size += len(paragraph) + 2
    write(CALIBRATION, beginning)


def write(path: Path, blocks: list[str]) -> None:
    path.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    print(f"{path.name}: {path.stat().st_size} bytes, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
