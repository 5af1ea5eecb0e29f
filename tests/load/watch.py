"""The server seen from outside: its process (memory, files), its numbers, its health."""

import asyncio
import json
import os
import re
import time

from cases import Wrong
from http_client import Connection, request_bytes

# When nothing runs, and the cache was flushed.
MUST_BE_NONE = ("sglang:num_running_reqs", "sglang:num_queue_reqs", "sglang:num_used_tokens", "tessera:num_kept_tokens")
SLOWEST_HEALTH_S = 10  # nothing may hold up the I/O thread so long, on a busy machine


class Watch:
    def __init__(self, server, load):
        self.server = server
        self.load = load
        self.connection = Connection(load.address)
        self.lock = asyncio.Lock()  # of the connection
        self.resident = []  # (seconds, bytes) once a second
        self.quiet = []     # the same, while nothing ran
        self.slowest_health_s = 0
        self.seen = {}      # the greatest of each number

    async def get(self, path, method="GET"):
        return await self.connection.ask(request_bytes(method, path))

    def open_files(self):
        return len(os.listdir(f"/proc/{self.server.process.pid}/fd"))

    async def numbers(self):
        """The gauges and counters of /metrics, by name."""
        head, body = await self.get("/metrics")
        if head.status != 200:
            raise Wrong(f"/metrics: status {head.status}")
        found = re.findall(r"^([\w:]+)(?:\{[^}]*\})? (\S+)$", body.decode(), re.MULTILINE)
        numbers = {name: float(value) for name, value in found}
        for name, value in numbers.items():
            self.seen[name] = max(value, self.seen.get(name, 0))
        return numbers

    async def poll(self):
        """Until the load ends."""
        while not self.load.over():
            try:
                await self.look()
            except Exception as error:  # pylint: disable=broad-except; no answer is a finding too
                self.connection.close()
                self.load.violation(f"while the server was watched: {error!r}")
            await asyncio.sleep(0.25)

    async def look(self):
        async with self.lock, asyncio.timeout(60):
            begin = time.perf_counter()
            head, _ = await self.get("/health")
            took = time.perf_counter() - begin
            if not self.load.stood_still(took + 1):
                self.slowest_health_s = max(self.slowest_health_s, took)
            if head.status != 200:
                raise Wrong(f"/health: status {head.status}")
            numbers = await self.numbers()
            if numbers["sglang:num_used_tokens"] + numbers["tessera:num_kept_tokens"] > numbers["sglang:max_total_num_tokens"]:
                raise Wrong(f"more of the KV cache is used than there is: {numbers}")
            path = self.load.rng.choice(["/v1/loads", "/get_server_info", "/get_load", "/v1/models", "/health_generate"])
            head, body = await self.get(path)
            if head.status != 200:
                raise Wrong(f"{path}: status {head.status}")
            if body:
                json.loads(body)
            if self.load.rng.random() < 0.1:
                head, _ = await self.get("/flush_cache", "POST")
                if head.status not in (200, 400):  # it is busy, as a rule
                    raise Wrong(f"/flush_cache: status {head.status}")
        if not self.resident or self.load.seconds() - self.resident[-1][0] >= 1:
            self.resident.append((round(self.load.seconds(), 1), self.server.resident_bytes()))

    async def settle(self, limit_s=60):
        """Nothing runs, waits or has pages; and once the cache is flushed all of them are free. Raises Wrong if not."""
        deadline = time.monotonic() + limit_s
        async with self.lock:
            while True:
                head, body = await self.get("/flush_cache?timeout=5", "POST")
                numbers = await self.numbers()
                left = {name: numbers[name] for name in MUST_BE_NONE if numbers[name]}
                if head.status == 200 and not left:
                    break
                # Somebody may still have been about to send a request.
                if time.monotonic() > deadline:
                    raise Wrong(f"{limit_s} s after the last request {left} remain, /flush_cache says {head.status}: {body[:200]!r}")
        self.quiet.append((round(self.load.seconds(), 1), self.server.resident_bytes()))

    def growth(self, warm_s):
        """Of the resident memory while nothing ran, from warm_s on: medians of the first and the last third. None: too short."""
        later = [size for at, size in self.quiet if at >= warm_s]
        if len(later) < 6:
            return None
        third = len(later) // 3
        return sorted(later[-third:])[third // 2] - sorted(later[:third])[third // 2]
