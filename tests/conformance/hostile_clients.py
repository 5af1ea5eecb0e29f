"""What no client library sends: 10,000 malformed requests, each of which must get a 4xx, and 500 connections that only wait.

Usage: hostile_clients.py [unittest options]; TESSERA_MALFORMED=N sends N instead of 10,000, TESSERA_SEED=S others than those of
seed 1. Run by tests/conformance/run.
"""

import json
import os
import random
import socket
import unittest
import urllib.parse

from server_process import ServerProcess

COUNT = int(os.environ.get("TESSERA_MALFORMED", "10000"))
SEED = int(os.environ.get("TESSERA_SEED", "1"))

# A valid request for each endpoint that takes a body.
VALID = {
    "/v1/chat/completions": {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1},
    "/v1/completions": {"prompt": "Hi", "max_tokens": 1},
    "/generate": {"text": "Hi", "sampling_params": {"max_new_tokens": 1}},
    "/tokenize": {"prompt": "Hi"},
    "/detokenize": {"tokens": [1, 2]},
    "/abort_request": {"rid": "nobody"},
}

HUGE = 10**30
NOT_A_NUMBER = ["1", "", True, [], {}, [1]]
NOT_A_FLAG = [0, 1, "true", [], {}]
NOT_A_STRING = [0, True, [], {}, 1.5]
NOT_A_COUNT = NOT_A_NUMBER + [-1, 1.5, HUGE, 1e300, -HUGE]
# Values that a field must not have, by the field's place in the request.
SAMPLING = {
    "temperature": NOT_A_NUMBER + [-1], "top_p": NOT_A_NUMBER + [0, -1, 2], "top_k": NOT_A_NUMBER + [0, -2, 1.5, HUGE],
    "min_p": NOT_A_NUMBER + [-1, 2], "frequency_penalty": NOT_A_NUMBER + [3, -3], "presence_penalty": NOT_A_NUMBER + [3, -3],
    "repetition_penalty": NOT_A_NUMBER + [-1, 0, 3], "n": NOT_A_COUNT + [0, 100000],
    "logit_bias": [5, "x", [1], {"x": 1}, {"1": "x"}, {"1": 1000}, {"-1": 1}, {"99999999": 1}],
    "stop": [5, True, {}, [5], [None], ["x" * 5000], ["x"] * 1000], "stop_token_ids": ["x", [-1], [1.5], [HUGE], [[1]]],
    "ignore_eos": NOT_A_FLAG, "skip_special_tokens": NOT_A_FLAG, "no_stop_trim": NOT_A_FLAG,
    "json_schema": ["{}"], "regex": ["a"], "ebnf": ["root ::= 'a'"], "structural_tag": ["{}"],
}
OPENAI = {
    **SAMPLING, "model": NOT_A_STRING + ["gpt-4"], "max_tokens": NOT_A_COUNT + [10**6], "seed": NOT_A_NUMBER + [1.5, HUGE],
    "stream": NOT_A_FLAG, "stream_options": [5, "x", [1], {"include_usage": 5}, {"include_usage": True}], "rid": NOT_A_STRING,
}
WRONG = {
    "/v1/chat/completions": {
        **OPENAI, "messages": [None, 5, "Hi", {}, [], [5], [{}], [{"role": "king", "content": "x"}], [{"role": "user"}],
                               [{"role": "user", "content": 5}], [{"role": "user", "content": [{"type": "image_url"}]}],
                               [{"role": "user", "content": "x"}] * 5000, [{"role": "user", "content": "long " * 4000}]],
        "logprobs": [5, "x", []], "top_logprobs": [-1, 21, "x", 5], "tools": [[{"type": "function"}], "x", 5],
        "response_format": [{"type": "json_object"}, {"type": 5}, 5, {"x": 1}], "chat_template_kwargs": [5, "x", []]},
    "/v1/completions": {
        **OPENAI, "prompt": [None, 5, [], {}, [[]], [-1], [HUGE], [1.5], ["a", 5], ["a"] * 1000, "long " * 4000],
        "logprobs": [-1, 21, "x", True], "echo": NOT_A_FLAG, "best_of": NOT_A_COUNT + [0], "suffix": ["x"]},
    "/generate": {
        "text": [None, 5, {}, [5], "long " * 4000], "input_ids": [[1]], "stream": NOT_A_FLAG,
        "return_logprob": [5, "x", {}], "logprob_start_len": [-2, "x", 1.5, HUGE], "top_logprobs_num": [-1, "x", 10**6],
        "token_ids_logprob": ["x", [-1], [HUGE]], "rid": [5, {}, ["a", "b"]], "lora_path": ["x"],
        "image_data": ["x"], "sampling_params": [5, "x", [{}, {}]]},
    "/tokenize": {"prompt": [None, 5, {}, [5]], "model": NOT_A_STRING, "add_special_tokens": NOT_A_FLAG},
    "/detokenize": {"tokens": [None, 5, "x", {}, ["x"], [-1], [HUGE], [1.5], [[[1]]]], "skip_special_tokens": NOT_A_FLAG},
    "/abort_request": {"rid": [None, 5, "", [], {}], "abort_all": [5, "x", []]},
}


def wrong_field(rng):
    """A well-formed request with one value that cannot be."""
    path = rng.choice(list(WRONG))
    body = json.loads(json.dumps(VALID[path]))
    fields, place = WRONG[path], body
    if path == "/generate" and rng.random() < 0.6:
        fields, place = {**SAMPLING, "max_new_tokens": NOT_A_COUNT, "sampling_seed": NOT_A_NUMBER}, body["sampling_params"]
    name = rng.choice(list(fields))
    place[name] = rng.choice(fields[name])
    return path, json.dumps(body).encode()


def wrong_json(rng):
    """A body that is no JSON object."""
    path = rng.choice(list(VALID))
    good = json.dumps(VALID[path]).encode()
    kind = rng.randrange(8)
    if kind == 0:
        return path, good[:rng.randrange(len(good))]
    if kind == 1:
        at = rng.randrange(1, len(good))
        return path, good[:at] + bytes([rng.choice([0, 1, 0x1F, 0x7F, 0x80, 0xC0, 0xFF])]) + b"\xff" + good[at:]
    if kind == 2:
        return path, good + rng.choice([b"}", b"x", b"{}", b",", b"\0"])
    if kind == 3:
        return path, rng.choice([b"[]", b"5", b"null", b'"x"', b"true", b"NaN", b"{'a': 1}", b"\xef\xbb\xbf\xef\xbb\xbf{}"])
    if kind == 4:
        depth = rng.choice([65, 1000, 100000])
        return path, b'{"x":' * depth + b"1" + b"}" * depth
    if kind == 5:
        return path, good[:-1] + b"," + good[1:]  # every name twice
    if kind == 6:
        return path, good[:-1] + b',"x":' + rng.choice([b"01", b"1e", b"+1", b".5", b"Infinity", b'"\\u12"', b'"\\ud800"x', b"tru"]) + b"}"
    return path, rng.randbytes(rng.randrange(1, 200))


def wrong_http(rng):
    """Bytes that are no HTTP request, or none that is taken."""
    def post(headers, body=b""):
        return b"POST /generate HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\n" + body

    return rng.choice([
        b"\r\n\r\nnonsense\r\n\r\n", b"GET\r\n\r\n", b"G\0T / HTTP/1.1\r\n\r\n",
        b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /a\tb HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n", b"GET / HTTP/1.1\r\nX\0: y\r\n\r\n", b"GET / HTTP/1.1\r\n: y\r\n\r\n",
        b"GET /" + b"a" * rng.choice([10, 1000, 100000]) + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 70000 + b"\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
        post(b"Content-Length: -1"), post(b"Content-Length: 5x"), post(b"Content-Length: 99999999999999999999"),
        post(b"Content-Length: 1000000000"), post(b"Content-Length: 1\r\nContent-Length: 2", b"ab"),
        post(b"Content-Length: 3\r\nTransfer-Encoding: chunked", b"0\r\n\r\n"),
        post(b"Transfer-Encoding: chunked", rng.choice([b"-2\r\nab\r\n0\r\n\r\n", b"zz\r\n\r\n", b"ffffffffffffffffff\r\n"])),
        post(b"Content-Encoding: gzip\r\nContent-Length: 2", b"\x1f\x8b"), post(b"Expect: tea\r\nContent-Length: 0"),
        b"DELETE /generate HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /generate HTTP/1.1\r\nHost: x\r\n\r\n",
        b"BREW /health HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/models/none HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /v1/loads?format=%7f HTTP/1.1\r\nHost: x\r\n\r\n",
    ])


class Connection:
    """A socket to the server, opened anew when the server has closed it."""

    def __init__(self, url):
        parts = urllib.parse.urlparse(url)
        self.address = (parts.hostname, parts.port)
        self.socket = None
        self.received = b""

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket, self.received = None, b""

    def ask(self, request):
        """The status of the answer."""
        if self.socket is None:
            self.socket = socket.create_connection(self.address, timeout=60)
        try:
            self.socket.sendall(request)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before it was read to its end: the answer is there
        head = self._read_until(b"\r\n\r\n").decode("latin-1")
        lines = head.split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        self._read(int(headers.get("content-length", 0)))
        if headers.get("connection") == "close":
            self.close()
        return int(lines[0].split(" ")[1])

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server closed without an answer")
        self.received += data

    def _read_until(self, mark):
        while mark not in self.received:
            self._more()
        head, self.received = self.received.split(mark, 1)
        return head

    def _read(self, count):
        while len(self.received) < count:
            self._more()
        self.received = self.received[count:]


def with_body(path, body):
    return (f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


class HostileClients(unittest.TestCase):
    def setUp(self):
        self.server = ServerProcess("--served-model-name", "tiny", "--log-level-http", "warning")
        self.addCleanup(self.server.stop)

    def test_malformed_requests_are_refused(self):
        rng = random.Random(SEED)
        connection = Connection(self.server.url)
        self.addCleanup(connection.close)
        before = None
        for number in range(COUNT):
            kind = rng.random()
            if kind < 0.2:
                connection.close()
                request = wrong_http(rng)
            else:
                request = with_body(*(wrong_field(rng) if kind < 0.7 else wrong_json(rng)))
            with self.subTest(number=number, request=request[:300]):
                status = connection.ask(request)
                self.assertTrue(400 <= status < 500, f"status {status}")
            if number == COUNT // 10:
                before = self.server.resident_bytes()
        if before is not None:
            grown = self.server.resident_bytes() - before
            self.assertLess(grown, 32 << 20, "memory grows with malformed requests")
        connection.close()
        for path, body in VALID.items():
            self.assertEqual(connection.ask(with_body(path, json.dumps(body).encode())), 200, f"{path} still serves")

    def test_idle_connections_are_cheap(self):
        """Also those that had large requests and answers before."""
        connections = []
        self.addCleanup(lambda: [connection.close() for connection in connections])
        health = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
        large = with_body("/tokenize", json.dumps({"prompt": "Hi", "unused": "x" * 200000}).encode())
        large_answer = with_body("/detokenize", json.dumps({"tokens": [5] * 50000}).encode())
        first = Connection(self.server.url)
        self.addCleanup(first.close)
        for request in (health, large, large_answer):
            first.ask(request)
        before = self.server.resident_bytes()
        for _ in range(500):
            connection = Connection(self.server.url)
            connections.append(connection)
            for request in (health, large, large_answer):
                self.assertEqual(connection.ask(request), 200)
        grown = self.server.resident_bytes() - before
        print(f"500 idle connections: {grown / 1e6:.1f} MB", flush=True)
        self.assertLess(grown, 20e6)
        self.assertTrue(all(connection.ask(health) == 200 for connection in connections))


if __name__ == "__main__":
    unittest.main(verbosity=2)
