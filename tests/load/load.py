"""One load: the cases with their right answers, the clients, and what was counted."""

import asyncio
import collections
import json
import random
import subprocess
import time
import urllib.parse

import cases as made
from cases import Received, Wrong
from http_client import Closed, Connection, request_bytes
from unruly_client import UnrulyClient
from watch import Watch

QUIET_EVERY_S = 15  # so often all clients pause until nothing runs
LAST_STREAMS = 8   # under way when the server is told to end
MOST_VIOLATIONS = 100


class Load:
    def __init__(self, options, server, stall_s):
        parts = urllib.parse.urlparse(server.url)
        self.options = options
        self.server = server
        self.address = (parts.hostname, parts.port)
        self.seed = options.seed
        self.rng = random.Random(options.seed)
        self.stall_s = stall_s
        self.watch = Watch(server, self)
        self.gate = asyncio.Event()
        self.gate.set()
        self.begin = self.end = time.monotonic()
        self.held_up_at = -1e9  # when this program last got no processor for a second
        self.cases, self.long_cases = [], []
        self.counts = collections.Counter()
        self.first_token_s, self.gaps_s, self.mean_gaps_s = [], [], []
        self.tokens_compared = 0
        self.violations = []

    # ---- what clients tell ----

    def over(self):
        return time.monotonic() >= self.end

    def seconds(self):
        return time.monotonic() - self.begin

    def count(self, what):
        self.counts[what] += 1

    def violation(self, message):
        self.count("violations")
        if len(self.violations) < MOST_VIOLATIONS:
            self.violations.append(f"seed {self.seed}: {message}")
            print(f"VIOLATION {self.violations[-1]}", flush=True)

    def compared(self, case, received):
        for answer, expected in zip(received.answers, case.expected, strict=True):
            self.count("answers compared")
            self.tokens_compared += len(expected.logprobs if answer.finish in ("stop", "length") else answer.ids or [])

    def ended(self, received):
        for answer in received.answers:
            self.count("aborted: " + ("cut short" if answer.finish == "abort" else "was complete"))

    def timed(self, begin, times, case):
        """Of a stream that was read as it came. The time between tokens where the API tells how many an event brings."""
        if not times:
            return
        self.first_token_s.append(times[0][0] - begin)
        if case.samples() > 1:
            return
        times = [(at, tokens) for at, tokens in times if tokens]
        for (before, had), (now, has) in zip(times, times[1:]):
            self.gaps_s += [(now - before) / max(1, has - had)] * (has - had)
        if len(times) > 1 and times[-1][1] - times[0][1] >= 8:
            self.mean_gaps_s.append((times[-1][0] - times[0][0]) / (times[-1][1] - times[0][1]))

    async def notice_standstill(self):
        while not self.over():
            before = time.monotonic()
            await asyncio.sleep(0.1)
            if time.monotonic() - before > 1:
                self.held_up_at = time.monotonic()
                self.count("standstill: no processor for a second")

    def stood_still(self, seconds):
        return time.monotonic() - self.held_up_at < seconds

    # ---- phases ----

    async def prepare(self):
        """Every case, alone, one after the other, nothing of it in the cache: the right answers."""
        pairs = made.material(self.options.model_path, self.options.root)
        self.cases = made.make_cases(self.rng, pairs, self.options.cases)
        self.long_cases = [made.long_case(self.rng, pairs, len(self.cases) + i) for i in range(2)]
        connection = Connection(self.address)
        for case in self.cases + self.long_cases:
            case.expected = await self.answer_alone(connection, case)
            text = case.expected[0].text
            if case.number < len(self.cases) and text.isascii() and len(text) > 1 and self.rng.random() < 0.25:
                stop, remains = made.choose_stop(self.rng, text)
                case.sampling["stop"] = [stop, "never said"]
                case.expected = await self.answer_alone(connection, case)
                if case.expected[0].text != remains:
                    raise Wrong(f"{case}: expected {remains!r} before the stop string, got {case.expected[0].text!r}")
        connection.close()

    async def answer_alone(self, connection, case):
        await connection.ask(request_bytes("POST", "/flush_cache?timeout=10"))
        path, body = case.request(case.is_chat(), logprobs=0, stream=False)
        head, data = await connection.ask(request_bytes("POST", path, json.dumps(body).encode()))
        if head.status != 200:
            raise Wrong(f"{case}: status {head.status}: {data[:300]!r}")
        received = Received(path, case.samples())
        received.add(data)
        return received.answers

    async def run(self, seconds):
        self.begin = time.monotonic()
        self.end = self.begin + seconds
        clients = [UnrulyClient(self, number).run() for number in range(self.options.streams)]
        await asyncio.gather(*clients, self.watch.poll(), self.pause_now_and_then(),
                             self.notice_standstill())

    async def pause_now_and_then(self):
        while True:
            await asyncio.sleep(min(QUIET_EVERY_S, max(0, self.end - time.monotonic())))
            if self.over():
                return
            self.gate.clear()
            try:
                await self.settled()
            finally:
                self.gate.set()

    async def settled(self):
        try:
            await self.watch.settle()
        except Wrong as error:
            self.violation(str(error))

    async def stop_under_way(self):
        """SIGTERM while answers are being sent: these end as they should, what is new is refused, the server exits with 0."""
        late = Connection(self.address)
        begun = asyncio.Semaphore(0)
        clients = [UnrulyClient(self, self.options.streams + number) for number in range(LAST_STREAMS)]
        tasks = [asyncio.create_task(client.act("streams_to_the_end", begun)) for client in clients]
        try:
            async with asyncio.timeout(60):
                for _ in tasks:
                    await begun.acquire()
                self.server.terminate()
                while await self.is_healthy(late):
                    await asyncio.sleep(0.005)
                await asyncio.gather(*tasks)
            code = await asyncio.to_thread(self.server.wait, 30)
            if code != 0:
                self.violation(f"SIGTERM: exit code {code}, expected 0")
        except (TimeoutError, subprocess.TimeoutExpired):
            self.violation("SIGTERM: the server did not end within its time")

    @staticmethod
    async def is_healthy(connection):
        """False once it drains: 503, or the connection is closed."""
        try:
            head, _ = await connection.ask(request_bytes("GET", "/health"))
        except (Closed, OSError):
            return False
        if head.status not in (200, 503):
            raise Wrong(f"/health while draining: status {head.status}")
        return head.status == 200
