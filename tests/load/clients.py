"""One client of many: sends requests, reads answers, and compares every answer that it gets with the expected one."""

import asyncio
import json
import random
import time

from cases import Received, Wrong
from http_client import Closed, Connection, request_bytes

LONGEST_ACTION_S = 120  # an answer that takes longer is lost


class TooBusy(Exception):
    """A 429, which tells when to come again."""


class Client:
    """Does one of `actions` (names of methods, with weights) after the other, drawn by its own seeded generator."""

    actions = {}

    def __init__(self, load, number):
        self.load = load
        self.number = number
        self.rng = random.Random(f"{load.seed}/{number}")
        self.connection = Connection(load.address)
        self.done = 0
        self.asked = ""     # the last request, for messages
        self.stream = None  # the events that are being read

    async def run(self):
        names, weights = list(self.actions), list(self.actions.values())
        action = names[self.number % len(names)]  # of each kind there are some, however short the load
        while not self.load.over():
            await self.load.gate.wait()
            self.done += 1
            await self.act(action)
            action = self.rng.choices(names, weights)[0]
        self.connection.close()

    async def act(self, action, *arguments):
        try:
            async with asyncio.timeout(LONGEST_ACTION_S):
                await getattr(self, action)(*arguments)
            self.load.count(action)
        except TooBusy:
            self.load.count("refused with 429")
            await asyncio.sleep(self.rng.uniform(0.1, 1))
        except Exception as error:  # pylint: disable=broad-except; whatever it is, the server's answer led to it
            self.connection.close()
            said = {Closed: "the server closed the connection", TimeoutError: f"no end after {LONGEST_ACTION_S} s",
                    Wrong: str(error)}.get(type(error), repr(error))
            self.load.violation(f"client {self.number}, action {self.done} ({action}): {said}; the last request: {self.asked}")

    def new_name(self):
        return f"{self.number}-{self.done}-{self.rng.randrange(1 << 30)}"

    async def send(self, *requests, receive_buffer=0):
        """Requests (path, body), all at once."""
        self.asked = " and ".join(f"{path} {json.dumps(body)[-400:]}" for path, body in requests)
        if not self.connection.is_open():
            await self.connection.open(receive_buffer)
        await self.connection.send(b"".join(request_bytes("POST", path, json.dumps(body).encode())
                                            for path, body in requests))

    async def read(self, received, events=None, on_event=None):
        """An answer that must be right, or a 429. Of a stream only that many events. When each came, and its tokens."""
        head = await self.connection.read_head()
        if head.status != 200 or not head.chunked():
            received.add(await self.read_whole(head))
            return []
        times, last = [], None
        self.stream = self.connection.events()
        async for last in self.stream:
            if last == b"[DONE]":
                continue
            received.add(last)
            times.append((time.perf_counter(), received.answers[0].tokens))
            if on_event:
                await on_event(len(times))
            if len(times) == events:
                return times
        if last != b"[DONE]":
            raise Wrong("a stream ended without [DONE]")
        self.connection.settle(head)
        return times

    async def read_whole(self, head):
        body = await self.connection.read_body(head)
        self.connection.settle(head)
        if head.status == 429 and int(head.headers["retry-after"]) > 0:
            raise TooBusy()
        if head.status != 200:
            raise Wrong(f"status {head.status}: {body[:300]!r}")
        return body

    def draw(self, stream=None):
        """A case, how it is asked for this time (path, body), and where the answer goes."""
        case = self.rng.choice(self.load.cases)
        stream = self.rng.random() < 0.6 if stream is None else stream
        more = {"stream": stream, "rid": self.new_name()}
        if self.rng.random() < 0.2:
            more["logprobs"] = self.rng.choice([0, 3])
        path, body = case.request(case.is_chat() or self.rng.random() < 0.5, **more)
        if stream and path != "/generate" and self.rng.random() < 0.5:
            body["stream_options"] = {"include_usage": True}
        return case, path, body, Received(path, case.samples())

    def judge(self, case, received, whole=True):
        """`whole`: nobody aborted it, and it was read to its end."""
        if whole and not all(answer.finish in ("stop", "length") for answer in received.answers):
            raise Wrong(f"{case}: ended with {[answer.finish for answer in received.answers]}")
        received.judge(case)
        self.load.compared(case, received)
