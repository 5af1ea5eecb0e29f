"""What clients of the OpenAI API rely on, checked with the official Python client (pinned in requirements.txt).

The model has random weights, so the tests look at forms, counts and agreement, and at golden greedy tokens.
Run by tests/conformance/run.
"""

import array
import concurrent.futures
import json
import os
import struct
import threading
import time
import unittest
import urllib.error
import urllib.request

import openai

from server_process import MODEL, ServerProcess

MESSAGES = [{"role": "user", "content": "What is a tessera?"}]


def post(url, body, headers=None):
    """Plain HTTP; returns (status, parsed body)."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def read_safetensors(path):
    """Tensors of float32 and int64 by name, as flat arrays."""
    with open(path, "rb") as file:
        length, = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    header.pop("__metadata__", None)
    types = {"F32": "f", "I64": "q"}
    return {name: array.array(types[tensor["dtype"]], data[slice(*tensor["data_offsets"])])
            for name, tensor in header.items()}


class OpenAiClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = ServerProcess("--served-model-name", "tiny", "--random-seed", "1")
        cls.client = openai.OpenAI(base_url=cls.server.url + "/v1", api_key="none", max_retries=0, timeout=60)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.server.stop()

    def chat(self, **options):
        return self.client.chat.completions.create(
            **{"model": "tiny", "messages": MESSAGES, "temperature": 0, "max_tokens": 16, **options})

    def test_models(self):
        models = self.client.models.list()
        self.assertEqual([model.id for model in models], ["tiny"])
        self.assertEqual(self.client.models.retrieve("tiny").object, "model")
        with self.assertRaises(openai.NotFoundError):
            self.client.models.retrieve("other")

    def test_chat(self):
        answer = self.chat()
        self.assertEqual(answer.object, "chat.completion")
        self.assertEqual(answer.model, "tiny")
        self.assertEqual(answer.choices[0].message.role, "assistant")
        self.assertIn(answer.choices[0].finish_reason, ("stop", "length"))
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)
        self.assertLessEqual(answer.usage.completion_tokens, 16)
        self.assertEqual(self.chat().choices[0].message.content, answer.choices[0].message.content)

    def test_chat_stream_says_the_same(self):
        whole = self.chat(extra_body={"ignore_eos": True})
        chunks = list(self.chat(stream=True, stream_options={"include_usage": True}, extra_body={"ignore_eos": True}))
        self.assertEqual(chunks[0].choices[0].delta.role, "assistant")
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        self.assertEqual(text, whole.choices[0].message.content)
        reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
        self.assertEqual(reasons[-1], "length")
        self.assertTrue(all(reason is None for reason in reasons[:-1]))
        self.assertEqual(chunks[-1].choices, [])
        self.assertEqual(chunks[-1].usage, whole.usage)
        self.assertTrue(all(chunk.id == chunks[0].id for chunk in chunks))

    def test_golden_greedy_tokens(self):
        with open(os.path.join(MODEL, "golden_greedy.json"), encoding="utf-8") as file:
            goldens = json.load(file)
        for golden in goldens:
            with self.subTest(golden["prompt"]):
                body = {"input_ids": golden["input_ids"],
                        "sampling_params": {"temperature": 0, "max_new_tokens": 24, "ignore_eos": True}}
                status, answer = post(self.server.url + "/generate", body)
                self.assertEqual(status, 200)
                self.assertEqual(len(answer["output_ids"]), 24)
                # bfloat16 may part from float32 where two logits are near: the first tokens must agree.
                self.assertEqual(answer["output_ids"][:4], golden["output_ids"][:4])

    def test_completions(self):
        whole = self.client.completions.create(model="tiny", prompt="The quick", temperature=0, max_tokens=12)
        self.assertEqual(whole.object, "text_completion")
        chunks = list(self.client.completions.create(
            model="tiny", prompt="The quick", temperature=0, max_tokens=12, stream=True))
        self.assertTrue(all(len(chunk.choices) == 1 for chunk in chunks))
        self.assertEqual("".join(chunk.choices[0].text for chunk in chunks), whole.choices[0].text)
        self.assertEqual(chunks[-1].choices[0].finish_reason, whole.choices[0].finish_reason)
        several = self.client.completions.create(
            model="tiny", prompt=["The quick", "A tile"], temperature=0, max_tokens=12)
        self.assertEqual([choice.index for choice in several.choices], [0, 1])
        self.assertEqual(several.choices[0].text, whole.choices[0].text)

    def test_stop_strings_are_trimmed(self):
        def complete(prompt, **options):
            return self.client.completions.create(
                model="tiny", prompt=prompt, temperature=0, max_tokens=40, extra_body={"ignore_eos": True}, **options)

        # Random weights say strange things: take the first prompt whose answer holds two letters worth stopping at.
        found = 0
        for prompt in ("The quick", "A tile", "Number 1", "In the beginning"):
            whole = complete(prompt).choices[0].text
            stops = [whole[at:at + 2] for at in range(4, len(whole) - 2)
                     if whole[at:at + 2].isascii() and whole[at:at + 2].isalpha()
                     and whole.find(whole[at:at + 2]) == at]
            for stop in stops[:2]:
                found += 1
                choice = complete(prompt, stop=["never said", stop]).choices[0]
                self.assertEqual(choice.finish_reason, "stop")
                self.assertEqual(choice.text, whole[:whole.find(stop)])
                self.assertEqual(choice.matched_stop, stop)
        self.assertGreater(found, 0, "no answer holds a usable stop string")

    def test_seed_decides(self):
        def sample(seed):
            return self.chat(temperature=1.0, seed=seed, max_tokens=24,
                             extra_body={"ignore_eos": True}).choices[0].message.content
        self.assertEqual(sample(7), sample(7))
        self.assertGreater(len({sample(seed) for seed in range(4)}), 1)

    def test_logprobs(self):
        choice = self.chat(logprobs=True, top_logprobs=3, extra_body={"ignore_eos": True}).choices[0]
        self.assertEqual(len(choice.logprobs.content), 16)
        for token in choice.logprobs.content:
            self.assertEqual(len(token.top_logprobs), 3)
            self.assertLessEqual(token.logprob, 0)
            self.assertEqual(token.top_logprobs[0].logprob, token.logprob, "greedy takes the likeliest")
        if all(token.bytes for token in choice.logprobs.content):  # none is half a character
            self.assertEqual("".join(token.token for token in choice.logprobs.content), choice.message.content)
        streamed = [chunk.choices[0].logprobs for chunk in self.chat(
            logprobs=True, top_logprobs=3, stream=True, extra_body={"ignore_eos": True}) if chunk.choices]
        tokens = [token for logprobs in streamed if logprobs for token in logprobs.content]
        self.assertEqual(tokens, choice.logprobs.content)

    def test_completion_logprobs_and_echo(self):
        def complete(**options):
            return self.client.completions.create(model="tiny", prompt="The quick", temperature=0, logprobs=2,
                                                  extra_body={"ignore_eos": True}, **options).choices[0]
        plain, echoed, scored = complete(max_tokens=6), complete(max_tokens=6, echo=True), complete(max_tokens=0, echo=True)
        self.assertEqual(len(plain.logprobs.tokens), 6)
        self.assertEqual(echoed.text, "The quick" + plain.text)
        self.assertIsNone(echoed.logprobs.token_logprobs[0])
        for got, expected in zip(echoed.logprobs.token_logprobs[-6:], plain.logprobs.token_logprobs):
            self.assertAlmostEqual(got, expected, places=5)
        self.assertEqual(scored.text, "The quick")
        self.assertEqual(scored.logprobs.tokens, echoed.logprobs.tokens[:-6])

    def embed(self, text, **options):
        """Vectors, by the client's default: base64, which it decodes."""
        answer = self.client.embeddings.create(model="tiny", input=text, **options)
        self.assertEqual(answer.object, "list")
        self.assertEqual([item.index for item in answer.data], list(range(len(answer.data))))
        for item in answer.data:
            self.assertEqual(item.object, "embedding")
            self.assertAlmostEqual(sum(number * number for number in item.embedding), 1, places=5)
        return [item.embedding for item in answer.data]

    def test_embeddings(self):
        one, other = self.embed(["The quick", "A tile"], user="somebody")
        self.assertEqual(self.embed("A tile"), [other], "alone as in company")
        self.assertEqual(self.embed("A tile", encoding_format="float"), [other])
        ids = post(self.server.url + "/tokenize", {"prompt": ["The quick", "A tile"]})[1]["tokens"]
        self.assertEqual(self.embed(ids), [one, other])
        self.assertEqual(self.embed(ids[1]), [other])
        mean, = self.embed("A tile", extra_body={"pooling": "mean"})
        self.assertEqual(len(mean), len(other))
        self.assertNotEqual(mean, other)
        short, = self.embed("A tile", dimensions=8)
        length = sum(number * number for number in other[:8]) ** 0.5
        for got, expected in zip(short, other[:8], strict=True):
            self.assertAlmostEqual(got, expected / length, places=5)
        usage = self.client.embeddings.create(model="tiny", input=["The quick", "A tile"]).usage
        self.assertEqual(usage.prompt_tokens, sum(len(one) for one in ids))
        self.assertEqual(usage.total_tokens, usage.prompt_tokens)
        status, native = post(self.server.url + "/encode", {"text": ["The quick", "A tile"]})
        self.assertEqual((status, [answer["embedding"] for answer in native]), (200, [one, other]))

    def test_golden_embeddings(self):
        sequences, goldens = (read_safetensors(os.path.join(MODEL, name))
                              for name in ("golden.safetensors", "golden_hidden.safetensors"))
        for pooling in ("last", "mean"):
            inputs = [list(sequences[f"input_ids_{i}"]) for i in range(3)]
            for i, found in enumerate(self.embed(inputs, extra_body={"pooling": pooling})):
                cosine = sum(a * b for a, b in zip(found, goldens[f"{pooling}_{i}"], strict=True))
                self.assertGreater(cosine, 0.999, "bfloat16 against float32")  # random vectors of 64: 0.1

    def test_embeddings_beside_answers(self):
        texts = [f"Number {index}, and so on" for index in range(16)]
        alone = [self.embed(text)[0] for text in texts]
        with concurrent.futures.ThreadPoolExecutor(9) as pool:
            answers = [pool.submit(self.chat, max_tokens=64, extra_body={"ignore_eos": True}) for _ in range(4)]
            together = list(pool.map(lambda text: self.embed(text)[0], texts))
            for answer in answers:
                self.assertEqual(answer.result().usage.completion_tokens, 64)
        self.assertEqual(together, alone)
        self.assertEqual(self.embed(texts), alone)

    def test_wrong_embeddings_are_the_clients_exceptions(self):
        for options in ({"model": "gpt-4"}, {"input": ""}, {"input": []}, {"input": "long " * 400}, {"dimensions": 0},
                        {"dimensions": 100000}, {"encoding_format": "hex"}, {"extra_body": {"pooling": "cls"}}):
            with self.subTest(options=str(options)[:80]):
                with self.assertRaises(openai.BadRequestError) as caught:
                    self.client.embeddings.create(**{"model": "tiny", "input": "a", **options})
                self.assertTrue(caught.exception.body["message"])

    def test_several_answers(self):
        answer = self.chat(n=3, temperature=1.0, seed=11, extra_body={"ignore_eos": True})
        self.assertEqual([choice.index for choice in answer.choices], [0, 1, 2])
        self.assertEqual(len({choice.message.content for choice in answer.choices}), 3)
        self.assertEqual(answer.usage.completion_tokens, 48)
        second = self.chat(temperature=1.0, seed=12, extra_body={"ignore_eos": True})
        self.assertEqual(second.choices[0].message.content, answer.choices[1].message.content, "the i-th has seed + i")
        chunks = list(self.chat(n=2, stream=True, extra_body={"ignore_eos": True}))
        self.assertEqual({chunk.choices[0].index for chunk in chunks}, {0, 1})
        best = self.client.completions.create(model="tiny", prompt="The quick", n=1, best_of=3, seed=3, max_tokens=4)
        self.assertEqual(len(best.choices), 1)

    def test_penalties_and_biases(self):
        plain = self.chat(logprobs=True, extra_body={"ignore_eos": True}).choices[0]
        status, found = post(self.server.url + "/tokenize", {"prompt": plain.logprobs.content[0].token,
                                                             "add_special_tokens": False})
        self.assertEqual(status, 200)
        if found["count"] == 1:  # half a character has no token of its own
            banned = self.chat(logit_bias={str(found["tokens"][0]): -100}, extra_body={"ignore_eos": True})
            self.assertNotEqual(banned.choices[0].message.content, plain.message.content)
        penalized = self.chat(frequency_penalty=2, presence_penalty=2, max_tokens=64,
                              extra_body={"ignore_eos": True, "repetition_penalty": 1.5})
        self.assertEqual(penalized.usage.completion_tokens, 64)

    def test_native_logprobs(self):
        body = {"text": ["The quick", "A tile"], "return_logprob": True, "logprob_start_len": 0, "top_logprobs_num": 2,
                "return_text_in_logprobs": True, "sampling_params": {"temperature": 0, "max_new_tokens": 5, "ignore_eos": True}}
        status, answers = post(self.server.url + "/generate", body)
        self.assertEqual((status, len(answers)), (200, 2))
        for answer in answers:
            meta = answer["meta_info"]
            self.assertEqual(len(meta["input_token_logprobs"]), meta["prompt_tokens"])
            self.assertIsNone(meta["input_token_logprobs"][0][0])
            self.assertEqual([entry[1] for entry in meta["output_token_logprobs"]], answer["output_ids"])
            self.assertEqual([len(top) for top in meta["output_top_logprobs"]], [2] * 5)

    def test_prefixes_are_reused_and_flushed(self):
        prompt = 5 * "Once upon a time there was a small stone. "  # longer than a page of the cache, 64 tokens
        body = {"text": prompt, "sampling_params": {"temperature": 0, "max_new_tokens": 4}}
        first = post(self.server.url + "/generate", body)[1]
        second = post(self.server.url + "/generate", body)[1]
        self.assertGreater(second["meta_info"]["cached_tokens"], 0)
        self.assertEqual(second["output_ids"], first["output_ids"])
        with urllib.request.urlopen(self.server.url + "/flush_cache?timeout=10", timeout=20) as answer:
            self.assertEqual(answer.status, 200)
        self.assertEqual(post(self.server.url + "/generate", body)[1]["meta_info"]["cached_tokens"], 0)

    def test_errors_are_the_clients_exceptions(self):
        for options in ({"model": "gpt-4"}, {"messages": []}, {"temperature": -1}, {"n": 0}, {"max_tokens": 100000},
                        {"messages": [{"role": "king", "content": "x"}]},
                        {"messages": [{"role": "user", "content": "long " * 400}]},
                        {"response_format": {"type": "json_object"}}, {"top_logprobs": 3},
                        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}):
            with self.subTest(options=str(options)[:80]):
                with self.assertRaises(openai.BadRequestError) as caught:
                    self.chat(**options)
                self.assertEqual(caught.exception.status_code, 400)
                self.assertTrue(caught.exception.body["message"])
                self.assertTrue(caught.exception.request_id)

    def test_errors_on_the_wire(self):
        status, body = post(self.server.url + "/v1/chat/completions", b'{"messages": [')
        self.assertEqual((status, body["object"], body["type"], body["code"]), (400, "error", "BadRequestError", 400))
        status, body = post(self.server.url + "/generate", {"text": 5})
        self.assertEqual(status, 400)
        self.assertTrue(body["error"]["message"])

    def test_concurrent_requests_do_not_disturb_each_other(self):
        prompts = [f"Number {index}" for index in range(8)]

        def ask(prompt):
            return self.client.completions.create(
                model="tiny", prompt=prompt, temperature=0, max_tokens=24, extra_body={"ignore_eos": True})

        alone = [ask(prompt).choices[0].text for prompt in prompts]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            together = [answer.choices[0].text for answer in pool.map(ask, prompts)]
        self.assertEqual(together, alone)

    def test_client_that_leaves_frees_its_place(self):
        stream = self.chat(stream=True, max_tokens=200, extra_body={"ignore_eos": True})
        next(iter(stream))
        stream.close()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with urllib.request.urlopen(self.server.url + "/get_load", timeout=10) as answer:
                if json.load(answer)[0]["num_reqs"] == 0:
                    return
            time.sleep(0.02)
        self.fail("the request still runs")


class ApiKey(unittest.TestCase):
    def test_key_is_asked_for(self):
        server = ServerProcess("--api-key", "secret")
        self.addCleanup(server.stop)
        with openai.OpenAI(base_url=server.url + "/v1", api_key="wrong", max_retries=0) as stranger:
            with self.assertRaises(openai.AuthenticationError):
                stranger.models.list()
        with openai.OpenAI(base_url=server.url + "/v1", api_key="secret", max_retries=0) as friend:
            self.assertEqual([model.id for model in friend.models.list()], [MODEL])


class Shutdown(unittest.TestCase):
    def test_sigterm_lets_answers_end(self):
        server = ServerProcess()
        self.addCleanup(server.stop)
        results = []

        def ask():
            results.append(post(server.url + "/generate", {
                "text": "x", "sampling_params": {"temperature": 0, "max_new_tokens": 200, "ignore_eos": True}}))

        clients = [threading.Thread(target=ask) for _ in range(4)]
        for client in clients:
            client.start()
        deadline = time.monotonic() + 10
        running = 0
        while running < 4 and not results and time.monotonic() < deadline:
            with urllib.request.urlopen(server.url + "/get_load", timeout=10) as answer:
                running = json.load(answer)[0]["num_reqs"]
        server.terminate()
        for client in clients:
            client.join()
        self.assertEqual(server.wait(), 0)
        self.assertEqual(len(results), 4)
        for status, answer in results:
            self.assertEqual(status, 200)
            self.assertEqual(answer["meta_info"]["completion_tokens"], 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
