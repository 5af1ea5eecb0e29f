"""tests/golden/bench_serving.json: what SGLang's benchmark samples and counts, for `tessera bench serving` to agree with.

Usage: make_bench_serving.py WHEEL [OUTPUT]    WHEEL: pip download --no-deps sglang==0.5.23
Runs the package's own sampling functions (the files of the wheel, not the rest of the package) on the tokenizer of
tests/golden/models/llama, and numpy's statistics. Needs numpy, transformers and tqdm of requirements.txt.
"""
import importlib
import json
import pathlib
import random
import sys
import tempfile
import types
import zipfile

import numpy as np
from transformers import PreTrainedTokenizerFast

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODEL = ROOT / "tests" / "golden" / "models" / "llama"
SEED = 1


def import_datasets(wheel, folder):
    """The modules of sglang/benchmark/datasets without what their packages import."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith("sglang/benchmark/datasets/")])
    for name in ("sglang", "sglang.benchmark", "sglang.benchmark.datasets"):
        package = types.ModuleType(name)
        package.__path__ = [str(pathlib.Path(folder, *name.split(".")))]
        sys.modules[name] = package
    utils = types.ModuleType("sglang.benchmark.utils")
    utils.is_file_valid_json = lambda path: True
    utils.download_and_cache_hf_file = None
    utils.remove_suffix = str.removesuffix
    sys.modules["sglang.benchmark.utils"] = utils
    return [importlib.import_module(f"sglang.benchmark.datasets.{name}") for name in ("random", "sharegpt", "generated_shared_prefix")]


def conversations():
    """All that the rules distinguish: both names of the list, one turn only, empty and very short texts, escapes."""
    words = "The tile of a mosaic is small, flat and \"square\"; many make a picture.\n".split(" ")
    cases = [{"conversations": [{"from": "human", "value": " ".join(words[:2 + at]) * (1 + at % 3)},
                                {"from": "gpt", "value": " ".join(words[at:]) * (1 + at % 4)}]} for at in range(9)]
    cases += [{"conversations": [{"value": "alone"}]}, {"conversations": []}, {"id": "no list"},
              {"conversation": [{"value": "the other name é😀"}, {"value": "\\ and \t are escaped \\"}]},
              {"conversations": [{"value": ""}, {"value": "an empty question"}]},
              {"conversations": [{"value": "x"}, {"value": "y"}, {"value": "third"}]},
              {"conversations": [{"value": "Is it so? Assistant:"}, {"value": "It is."}]}]
    return cases


def rows(requests):
    return [{"prompt": one.prompt, "input": int(one.prompt_len), "output": int(one.output_len)} for one in requests]


def seeded(sample, **arguments):
    random.seed(SEED)
    np.random.seed(SEED)
    return rows(sample(**arguments))


def datasets(wheel, folder, tokenizer):
    randoms, sharegpt, shared_prefix = import_datasets(wheel, folder)
    shared_prefix.get_gen_prefix_cache_path = lambda *_, **__: pathlib.Path(folder, "cache.pkl")
    path = str(pathlib.Path(folder, "sharegpt.json"))
    pathlib.Path(path).write_text(json.dumps(conversations()))
    common = {"num_prompts": 8, "tokenizer": tokenizer, "dataset_path": path}
    return {
        "random": seeded(randoms.sample_random_requests, input_len=24, output_len=9, range_ratio=0.5, **common),
        "random_fixed": seeded(randoms.sample_random_requests, input_len=16, output_len=4, range_ratio=1.0, **common),
        "random_all": seeded(randoms.sample_random_requests, input_len=5, output_len=5, range_ratio=0.0, **{**common, "num_prompts": 99}),
        "random_token_ids": seeded(randoms.sample_random_requests, input_len=8, output_len=3, range_ratio=0.0, return_text=False, **common),
        "random_ids": seeded(randoms.sample_random_requests, input_len=12, output_len=7, range_ratio=0.25, random_sample=False, **common),
        "sharegpt": seeded(sharegpt.sample_sharegpt_requests, dataset_path=path, num_requests=99, tokenizer=tokenizer),
        "sharegpt_options": seeded(sharegpt.sample_sharegpt_requests, dataset_path=path, num_requests=5, tokenizer=tokenizer,
                                   fixed_output_len=6, context_len=70, prompt_suffix=" Say why.", apply_chat_template=True),
        "shared_prefix": seeded(shared_prefix.sample_generated_shared_prefix_requests, num_groups=3, prompts_per_group=2,
                                system_prompt_len=7, question_len=4, output_len=5, range_ratio=1.0, tokenizer=tokenizer, seed=SEED),
    }


def generators():
    random.seed(SEED)
    np.random.seed(SEED)
    order = list(range(1000))
    random.shuffle(order)
    return {"shuffled": order[:20], "choices": random.choices(range(49152), k=12),
            "randint": np.random.randint(512, 1025, size=12).tolist(), "randint_one": np.random.randint(7, 8, size=2).tolist(),
            "randint_wide": np.random.randint(0, 151643, size=12).tolist(),
            "exponential": [np.random.exponential(1.0 / 2.5) for _ in range(12)]}


def statistics():
    generator = np.random.default_rng(SEED)
    samples = [[0.25], [3.0, 1.0], generator.exponential(0.02, size=101).tolist(), generator.normal(5, 1, size=40).tolist()]
    names = ("mean", "median", "std", "p90", "p95", "p99", "max")
    return [{"sample": one, **dict(zip(names, map(float, (np.mean(one), np.median(one), np.std(one), np.percentile(one, 90),
                                                            np.percentile(one, 95), np.percentile(one, 99), np.max(one)))))}
            for one in samples]


def main():
    output = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else ROOT / "tests" / "golden" / "bench_serving.json")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(MODEL)
    with tempfile.TemporaryDirectory() as folder:
        golden = {"conversations": conversations(), "datasets": datasets(sys.argv[1], folder, tokenizer),
                  "generators": generators(), "statistics": statistics()}
    output.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
