"""What clients of the OpenAI API rely on, checked with the official Python client (pinned in requirements.txt).

The model has random weights, so the tests look at forms, counts and agreement, and at golden greedy tokens.
Run by tests/conformance/run.
"""

import concurrent.futures
import json
import os
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

    def test_errors_are_the_clients_exceptions(self):
        for options in ({"model": "gpt-4"}, {"messages": []}, {"temperature": -1}, {"n": 2}, {"max_tokens": 100000},
                        {"messages": [{"role": "king", "content": "x"}]},
                        {"messages": [{"role": "user", "content": "long " * 400}]},
                        {"response_format": {"type": "json_object"}}, {"logprobs": True},
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
