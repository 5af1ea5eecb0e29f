"""What is asked under load and what must come back: every case is first answered once, alone, by the same server."""

import copy
import json
import os
from dataclasses import dataclass, field

OPENAI_NAMES = {"max_new_tokens": "max_tokens", "sampling_seed": "seed", "min_new_tokens": "min_tokens"}
MOST_PROMPT_CHARACTERS = 2400


class Wrong(Exception):
    """The server did what it must not do."""


@dataclass
class Answer:
    """One of the n answers to a case; what an API does not tell is None."""
    text: str = ""
    ids: list | None = None
    logprobs: list | None = None
    finish: str | None = None
    matched: object = None
    tokens: int | None = None


@dataclass
class Case:
    number: int
    prompt: object  # text, or a list of messages
    sampling: dict  # by the native API's names
    expected: list = field(default_factory=list)  # of Answer, one for each of n

    def is_chat(self):
        return isinstance(self.prompt, list)

    def samples(self):
        return self.sampling.get("n", 1)

    def __str__(self):
        text = self.prompt if isinstance(self.prompt, str) else self.prompt[-1]["content"]
        return f"case {self.number} ({'chat' if self.is_chat() else 'text'} ...{text[-80:]!r}, {json.dumps(self.sampling)})"

    def request(self, openai, **more):
        """Path and body. `more`: stream, rid, logprobs (a number of alternatives, or absent)."""
        logprobs = more.pop("logprobs", None)
        if not openai:
            if logprobs is not None:
                more |= {"return_logprob": True, "top_logprobs_num": logprobs}
            return "/generate", {"text": self.prompt, "sampling_params": self.sampling, **more}
        body = {OPENAI_NAMES.get(name, name): value for name, value in self.sampling.items()} | more
        if self.is_chat():
            if logprobs is not None:
                body |= {"logprobs": True, "top_logprobs": logprobs}
            return "/v1/chat/completions", {"messages": self.prompt, **body}
        if logprobs is not None:
            body["logprobs"] = logprobs
        return "/v1/completions", {"prompt": self.prompt, **body}


class Received:
    """The answers to one request so far, whole or from the events of a stream."""

    def __init__(self, path, samples):
        self.openai = path.startswith("/v1/")
        self.answers = [Answer() for _ in range(samples)]

    def add(self, data):
        value = json.loads(data)
        if "error" in value:
            raise Wrong(f"an error in the stream: {data[:300]!r}")
        if self.openai:
            self._add_openai(value)
        elif isinstance(value, list):
            for answer, one in zip(self.answers, value, strict=True):
                self._add_native(answer, one)
        else:
            self._add_native(self.answers[value.get("index", 0)], value)

    @staticmethod
    def _add_native(answer, value):
        if not value["text"].startswith(answer.text):
            raise Wrong(f"cumulative text went from {answer.text!r} to {value['text']!r}")
        meta = value["meta_info"]
        answer.text, answer.ids, answer.tokens = value["text"], value["output_ids"], meta["completion_tokens"]
        if "output_token_logprobs" in meta:
            answer.logprobs = [entry[0] for entry in meta["output_token_logprobs"]]
        if meta["finish_reason"]:
            answer.finish, answer.matched = meta["finish_reason"]["type"], meta["finish_reason"].get("matched")

    def _add_openai(self, value):
        for choice in value["choices"]:
            answer = self.answers[choice["index"]]
            part = choice.get("delta") or choice.get("message") or choice
            answer.text += part.get("content") or part.get("text") or ""
            if choice["logprobs"]:
                of_chat = [entry["logprob"] for entry in choice["logprobs"].get("content") or []]
                answer.logprobs = (answer.logprobs or []) + (choice["logprobs"].get("token_logprobs") or of_chat)
            if choice["finish_reason"]:
                answer.finish, answer.matched = choice["finish_reason"], choice["matched_stop"]
        if len(self.answers) == 1 and value.get("usage"):
            self.answers[0].tokens = value["usage"]["completion_tokens"]

    def split(self):
        """One for each answer: they are of several cases."""
        parts = [copy.copy(self) for _ in self.answers]
        for part, answer in zip(parts, self.answers, strict=True):
            part.answers = [answer]
        return parts

    def judge(self, case):
        """Wrong unless every answer is the expected one; of one cut short (aborted, or not read to its end) what there is."""
        for index, (got, expected) in enumerate(zip(self.answers, case.expected, strict=True)):
            cut = got.finish in (None, "abort")
            for name in ("ids", "logprobs", "text", "finish", "matched", "tokens"):
                mine, right = getattr(got, name), getattr(expected, name)
                if mine is None and name not in ("finish", "matched") or right is None and name == "ids":
                    continue
                if cut and name in ("finish", "matched", "tokens"):
                    continue
                if mine != (right[:len(mine)] if cut else right):
                    raise Wrong(f"{case}, answer {index}: {name} expected {right!r}, got {mine!r}")


def material(model_path, root):
    """(beginning, end) pairs of text: the model's own questions and answers, else halves of paragraphs of prose."""
    questions = os.path.join(model_path, "test.jsonl")
    if os.path.exists(questions):
        with open(questions, encoding="utf-8") as lines:
            entries = [json.loads(line) for line in lines]
        return [(f"Question: {entry['question']}\nAnswer:", f" {entry['answer']}\n\n") for entry in entries]
    with open(os.path.join(root, "tests", "data", "prose.txt"), encoding="utf-8") as prose:
        paragraphs = [p for p in prose.read().split("\n\n") if 100 < len(p) < 600]
    return [(p[:len(p) // 2], p[len(p) // 2:] + "\n\n") for p in paragraphs]


def make_cases(rng, pairs, count):
    """Prompts of a few families that begin alike, with all kinds of sampling whose answer is determined."""
    families = [rng.sample(pairs, 16) for _ in range(10)]
    return [Case(number, make_prompt(rng, pairs, families), make_sampling(rng)) for number in range(count)]


def make_prompt(rng, pairs, families):
    beginning = rng.choice(pairs)[0]
    if rng.random() < 0.25:
        turns = [("user", "assistant")[i % 2] for i in range(rng.choice([1, 3, 5]))]
        return [{"role": role, "content": rng.choice(pairs)[i % 2]} for i, role in enumerate(turns[:-1])] + [
            {"role": "user", "content": beginning}]
    shots = "".join(a + b for a, b in rng.choice(families)[:rng.choice([0, 0, 1, 1, 2, 3, 4, 16])])
    return shots[:MOST_PROMPT_CHARACTERS] + beginning


def make_sampling(rng):
    sampling = {"temperature": 0, "max_new_tokens": rng.choice([1, 2, 16, 33, 64, 96, 160])}
    if rng.random() < 0.7:
        sampling["ignore_eos"] = True
    kind = rng.random()
    if kind < 0.25:
        sampling |= {"temperature": 0.8, "top_p": 0.95, "sampling_seed": rng.randrange(1000)}
    elif kind < 0.35:
        sampling |= {"repetition_penalty": 1.2, "presence_penalty": 0.3}
    if rng.random() < 0.2:
        sampling["n"] = rng.choice([2, 3, 4])
    return sampling


def long_case(rng, pairs, number):
    """An answer of megabytes when it is streamed with `logprobs`, so that a slow reader fills all buffers."""
    return Case(number, rng.choice(pairs)[0], {"temperature": 0, "max_new_tokens": 320, "ignore_eos": True})


def choose_stop(rng, text):
    """A piece of the answer that is looked for as a stop string, and what then remains."""
    at = rng.randrange(len(text))
    stop = text[at:at + rng.randrange(1, 7)]
    return stop, text[:text.find(stop)]
