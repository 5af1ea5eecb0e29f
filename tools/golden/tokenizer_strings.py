"""10,000 distinct strings that tokenizers get wrong: fixed seed, so the same list every time on the same Python."""

import random
from pathlib import Path

COUNT, SEED = 10_000, 20_251_123
WORDS = (Path(__file__).parent / "corpus.txt").read_text().split()
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>", "<reponame>", "<file_sep>", "<gh_stars>", "<jupyter_code>",
           "<empty_output>", "<|fim_prefix|>", "<|fim_middle|>", "<|vision_start|>", "<|object_ref_end|>", "<think>", "</think>",
           "<tool_call>", "</tool_call>", "<tool_response>", "<|im_sta", "<|im_end|", "|im_end|>", "<|IM_END|>", "<| im_end |>", "<s>"]
CODE = ["def f(x):\n    return x**2\n", "for(int i=0;i<10;i++){\n\ta[i]=i;\n}", "#include <vector>\n", "std::unique_ptr<T>&& p = {};",
        "SELECT * FROM t WHERE a='b' AND c>=3;", "if (a != b || !c) { d ^= ~e; }", "let v: Vec<&'a str> = vec![];\r\n", "x = {\"k\": [1, 2.5e-3, null]}",
        "<div class=\"a-b\">&nbsp;</div>", "\t\tself.__init__(*args, **kwargs)  # why", "$ ls -la ~/.cache | grep -v '^d'", "0xDEADBEEF 0b1010 1_000",
        "fn main() -> Result<(), Box<dyn Error>> {", "\\frac{a}{b} \\\\ \\LaTeX", "printf(\"%08.3f\\n\", x);", "@app.route('/v1/<int:id>')", "https://example.org/a?b=c&d=%20#e",
        "/* ---- */ // ====", "C:\\Users\\me\\file.txt", "a->b.c::d[e](f){g};", "camelCaseName snake_case_name SCREAMING_CASE kebab-case"]
CONTRACTIONS = ["I'm", "we've", "DON'T", "they'll", "she'd", "it's", "you'RE", "'S", "'tis", "rock'n'roll", "O'Neil's", "l\u2019\u00e9t\u00e9", "'\u017f", "K\u212aelvin"]
EMOJI = ["\U0001F600", "\u2764\ufe0f", "\U0001F44D\U0001F3FD", "\U0001F468\u200d\U0001F469\u200d\U0001F467\u200d\U0001F466", "\U0001F3F3\ufe0f\u200d\U0001F308",
         "\U0001F1E9\U0001F1EA", "1\ufe0f\u20e3", "\U0001F9D1\U0001F3FF\u200d\U0001F4BB", "\U0001F3F4\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F",
         "\u2603", "\U0001FAE0", "\u200d", "\ufe0f", "\U0001F3FB", "\U0001F441\ufe0f\u200d\U0001F5E8\ufe0f"]
SPACES = [" ", "  ", "\t", "\n", "\r\n", "\r", "\v", "\f", "\u00a0", "\u2003", "\u3000", "\u200b", "\u2028", "\u0085", "\ufeff", "\u1680", "\u202f", "    ", "\n\n\n"]
COMBINING = "\u0300\u0301\u0302\u0303\u0308\u030a\u0327\u0328\u0323\u0338\u20dd\u0345"
RANGES = {  # inclusive code point ranges of scripts
    "cjk": [(0x4E00, 0x9FFF), (0x3041, 0x3096), (0x30A1, 0x30FA), (0xAC00, 0xD7A3), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x3000, 0x303F), (0xFF01, 0xFF60), (0xF900, 0xFA6D), (0x1100, 0x11FF)],
    "rtl": [(0x05D0, 0x05EA), (0x0591, 0x05C7), (0x0621, 0x064A), (0x064B, 0x065F), (0x0660, 0x0669), (0x06F0, 0x06F9), (0x0710, 0x072F), (0x200E, 0x200F), (0x202A, 0x202E), (0xFB50, 0xFBB1)],
    "indic": [(0x0900, 0x097F), (0x0980, 0x09FE), (0x0B80, 0x0BFA), (0x0E01, 0x0E5B), (0x0F00, 0x0FDA), (0x1000, 0x109F), (0x1780, 0x17F9), (0x0C00, 0x0C7F)],
    "alphabet": [(0x0370, 0x03FF), (0x0400, 0x052F), (0x0531, 0x058A), (0x10A0, 0x10FF), (0x1E00, 0x1EFF), (0x1F00, 0x1FFE), (0x13A0, 0x13F5), (0x0100, 0x024F), (0x1C80, 0x1CBF)],
    "symbols": [(0x2000, 0x206F), (0x2070, 0x209C), (0x20A0, 0x20C0), (0x2100, 0x218B), (0x2190, 0x23FF), (0x2460, 0x24FF), (0x2500, 0x27BF), (0x1D400, 0x1D7FF), (0x1F000, 0x1FAFF), (0xFFF0, 0xFFFD)],
    "numbers": [(0x30, 0x39), (0x00B2, 0x00BE), (0x0660, 0x0669), (0x0966, 0x096F), (0x2150, 0x2189), (0x2460, 0x249B), (0x3021, 0x3029), (0xFF10, 0xFF19), (0x1D7CE, 0x1D7FF)],
    "controls": [(0x00, 0x1F), (0x7F, 0x9F), (0x200B, 0x200F), (0x2060, 0x206F), (0xFFF9, 0xFFFB), (0xE0001, 0xE007F), (0xFE00, 0xFE0F)],
    "anything": [(0x00, 0xD7FF), (0xE000, 0xFFFF), (0x10000, 0x1FFFF), (0x20000, 0x3FFFF), (0x40000, 0x10FFFF)],
    "ascii": [(0x20, 0x7E)],
    "latin": [(0x20, 0x7E), (0xA0, 0xFF)],
}


def from_ranges(r: random.Random, kind: str, most: int = 12) -> str:
    low_high = r.choice(RANGES[kind]) if r.random() < 0.5 else None
    return "".join(chr(r.randint(*(low_high or r.choice(RANGES[kind])))) for _ in range(r.randint(1, most)))


def sentence(r: random.Random) -> str:
    words = [r.choice(WORDS) for _ in range(r.randint(1, 10))]
    text = "".join(w + r.choice([" "] * 12 + ["  ", "\n", "\t"]) for w in words)
    return r.choice([text, text.strip(), " " + text, text.upper(), text.title(), text.replace(" ", "")])


def digits(r: random.Random) -> str:
    parts = [str(r.randrange(10 ** r.randint(1, 12))) for _ in range(r.randint(1, 4))]
    return r.choice([".", ",", " ", "-", "", ":", "e", "/", " + ", "x"]).join(parts)


def accents(r: random.Random) -> str:
    letters = [r.choice("aeiouncszyAEOUKg \u1100\uac00\u05d0") + "".join(r.choices(COMBINING, k=r.randint(0, 3))) for _ in range(r.randint(1, 9))]
    return "".join(letters)


def joined(choices, most):
    return lambda r: "".join(r.choice(choices) for _ in range(r.randint(1, most)))


FRAGMENTS = [
    (6, sentence), (5, joined(CODE, 2)), (3, digits), (3, accents), (3, joined(EMOJI, 4)), (4, joined(SPACES, 6)), (2, joined(CONTRACTIONS, 3)),
    (4, lambda r: "".join(r.choice(SPECIAL) + r.choice(["", "", " ", "\n", r.choice(WORDS)]) for _ in range(r.randint(1, 3)))),
    (2, lambda r: r.choice("-=_*#.! \t\n~a0/") * r.randint(2, 40)),
] + [(3 if kind in ("cjk", "anything") else 2, lambda r, kind=kind: from_ranges(r, kind)) for kind in RANGES]


def strings() -> list[str]:
    r = random.Random(SEED)
    weights, makers = zip(*FRAGMENTS)
    result = dict.fromkeys(["", *(chr(c) for c in range(256)), *SPECIAL, *EMOJI, *SPACES, *CODE, *CONTRACTIONS])
    while len(result) < COUNT:
        count = r.choices([1, 2, 3, 4, 12], [50, 25, 14, 10, 1])[0]
        result["".join(make(r) for make in r.choices(makers, weights, k=count))] = None
    return list(result)
