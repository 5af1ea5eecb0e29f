"""The tokenizer, and training documents as token ids with what each token's loss counts.

A document is one to six solved questions in the form of the few-shot prompt that SGLang's GSM8K script sends, so the last one
has zero to five examples before it; or one question and its answer as the chat template writes them.
"""

import random

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

import generate

END, IM_START, IM_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
VOCAB_SIZE = 1024
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
QUESTIONS = (1, 1, 2, 3, 6)  # of the documents of a batch; one in ten batches is chats
# At first documents are short: what to copy from a question is found sooner when little else stands there.
FIRST_STEPS, FIRST_QUESTIONS = 700, (1, 1, 1, 1, 2)


def few_shot(question):
    return f"Question: {question}\nAnswer:"


def chat(question):
    return f"{IM_START}user\n{question}{IM_END}\n{IM_START}assistant\n"


def train_tokenizer(items):
    """Byte-level BPE; a digit is always a token of its own, and never takes the space before it along."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCAB_SIZE, special_tokens=[END, IM_START, IM_END], show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    texts = (f"{few_shot(item['question'])} {item['answer']}\n\n{chat(item['question'])}{item['answer']}" for item in items)
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=IM_END, pad_token=END, chat_template=CHAT_TEMPLATE,
                                   clean_up_tokenization_spaces=False, model_max_length=1024)


class Documents:
    """Makes problems into training documents."""

    def __init__(self, tokenizer, excluded=()):
        self.tokenizer = tokenizer.backend_tokenizer
        self.excluded = excluded  # questions that are never drawn
        self.end, self.im_end = tokenizer.convert_tokens_to_ids([END, IM_END])

    def encode(self, texts):
        return [encoding.ids for encoding in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    def few_shot(self, items):
        """(ids, counts): the loss counts on the answers, on the line break after each, and on the end."""
        questions = self.encode(["\n\n" * (place > 0) + few_shot(item["question"]) for place, item in enumerate(items)])
        answers = self.encode([" " + item["answer"] for item in items])
        ids, counts = [], []
        for place, (question, answer) in enumerate(zip(questions, answers)):
            ids += question + answer
            counts += [place > 0] + [False] * (len(question) - 1) + [True] * len(answer)
        return ids + [self.end], counts + [True]

    def solved_chat(self, item):
        question, answer = self.encode([chat(item["question"]), item["answer"]])
        return question + answer + [self.im_end], [False] * len(question) + [True] * (len(answer) + 1)

    def batch(self, seed, step, tokens):
        """Documents of about `tokens` ids in all, all of one kind; the same step draws the same ones."""
        rng = random.Random(f"{seed} {step}")
        chats, questions = rng.random() < 0.1, rng.choice(FIRST_QUESTIONS if step < FIRST_STEPS else QUESTIONS)
        documents, size = [], 0
        while size < tokens:
            items = [self.draw(rng) for _ in range(questions)]
            documents.append(self.solved_chat(items[0]) if chats else self.few_shot(items))
            size += len(documents[-1][0])
        return documents

    def draw(self, rng):
        while True:
            item = generate.problem(rng)
            if item["question"] not in self.excluded:
                return item
