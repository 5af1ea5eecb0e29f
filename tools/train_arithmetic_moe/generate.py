#!/usr/bin/env python3
"""Grade-school word problems with worked answers, in GSM8K's form: {"question", "answer"} a line, "#### N" last.

usage: generate.py --count N --seed SEED --output FILE [--without FILE]
The same arguments give the same bytes. --without leaves out the questions of another file, such as the held-out ones.
"""

import argparse
import json
import operator
import random
import re

from templates import CONTAINERS, NAMES, PRONOUNS, TEMPLATES, THINGS

TEST_SEED, TEST_COUNT = 2, 1000
MAX_VALUE = 60  # of any result
RANGES = {"a": (2, 15), "b": (2, 15), "c": (2, 15), "d": (2, 15), "k": (2, 7), "m": (2, 7), "n": (2, 7), "p": (4, 49)}
OPERATORS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.floordiv}


def parse_step(step):
    """"r = a + b | text" -> ("r", "a", "+", "b", "text")."""
    calculation, text = step.split(" | ")
    result, _, left, sign, right = calculation.split()
    return result, left, sign, right, text


PARSED = [(question, [parse_step(step) for step in steps]) for question, *steps in TEMPLATES]


def solve(steps, values):
    """Adds each step's result to `values`; False when one is too large, too small, not whole, or outside the times table."""
    for result, left, sign, right, _ in steps:
        x = values[left]
        y = values[right] if right in values else int(right)
        if sign == "/" and (x % y or x // y > 12):
            return False
        if sign == "*" and (max(x, y) > 12 or min(x, y) > 9):
            return False
        values[result] = OPERATORS[sign](x, y)
        if not 2 <= values[result] <= MAX_VALUE:
            return False
    return True


def words(rng):
    kind = rng.choice(("he", "she"))
    other = rng.choice(("he", "she"))
    first = rng.choice(NAMES[kind])
    second = rng.choice([name for name in NAMES[other] if name != first])
    he, his, him = PRONOUNS[kind]
    box, boxes = rng.choice(CONTAINERS)
    x, y = rng.sample(THINGS, 2)
    return {"A": first, "B": second, "he": he, "He": he.capitalize(), "his": his, "him": him, "x": x, "y": y, "box": box, "boxes": boxes}


def sentence(text):
    return text[0].upper() + text[1:]


def problem(rng):
    """One problem, from a template and numbers that fit it."""
    question, steps = rng.choice(PARSED)
    needed = [name for name in RANGES if "{" + name + "}" in question]
    while True:
        values = {name: rng.randint(*RANGES[name]) for name in needed}
        given = dict(values)
        if solve(steps, values):
            break
    fields = words(rng)
    question = re.sub(r"\[([^]]*)\]", lambda match: rng.choice(match[1].split("|")), question)
    lines = []
    for result, left, sign, right, text in steps:
        calculation = f"{values[left]} {sign} {values.get(right, right)} = {values[result]}"
        lines.append(sentence(text.format(**fields, **{result: calculation})))
    lines.append(f"#### {values[steps[-1][0]]}")
    return {"question": sentence(question.format(**fields, **given)), "answer": "\n".join(lines)}


def problems(seed, count, without=()):
    """`count` problems, no question twice and none of those in `without`."""
    rng = random.Random(seed)
    seen, chosen = set(without), []
    while len(chosen) < count:
        candidate = problem(rng)
        if candidate["question"] not in seen:
            seen.add(candidate["question"])
            chosen.append(candidate)
    return chosen


def held_out():
    return problems(TEST_SEED, TEST_COUNT)


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write(path, items):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(item) + "\n" for item in items)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=TEST_COUNT)
    parser.add_argument("--seed", type=int, default=TEST_SEED, help="2 makes the held-out questions")
    parser.add_argument("--output", required=True)
    parser.add_argument("--without", help="JSONL whose questions do not appear")
    arguments = parser.parse_args()
    excluded = {item["question"] for item in read(arguments.without)} if arguments.without else set()
    write(arguments.output, problems(arguments.seed, arguments.count, excluded))


if __name__ == "__main__":
    main()
