"""A client that asks, changes its mind, leaves, dawdles and talks nonsense."""

import asyncio
import json
import socket
import time

import hostile_clients
from cases import Received, Wrong
from clients import Client, TooBusy
from http_client import Closed, Connection, request_bytes

SMALL_RECEIVE_BUFFER = 65536


class UnrulyClient(Client):
    actions = {"asks": 45, "asks_for_several": 5, "asks_twice_at_once": 5, "aborts": 10, "aborts_one_of_several": 3,
               "leaves_waiting": 8, "leaves_a_stream": 8, "leaves_while_asking": 2, "reads_slowly": 1, "stops_reading": 1,
               "asks_nonsense": 10, "tokenizes": 2}

    async def asks(self):
        case, path, body, received = self.draw()
        begin = time.perf_counter()
        await self.send((path, body))
        times = await self.read(received)
        self.judge(case, received)
        self.load.timed(begin, times, case)

    async def asks_twice_at_once(self):
        """Pipelined, and sometimes with a request that is refused between the two."""
        drawn = [self.draw(), self.draw()]
        requests = [(path, body) for _, path, body, _ in drawn]
        bad = self.rng.random() < 0.3
        if bad:
            requests.insert(1, ("/generate", {"text": 5}))
        await self.send(*requests)
        await self.read_or_refused(drawn[0])
        if bad:
            head = await self.connection.read_head()
            await self.connection.read_body(head)
            if head.status != 400:
                raise Wrong(f"status {head.status} for the request between, expected 400")
        if self.rng.random() < 0.2:
            return self.connection.close(reset=self.rng.random() < 0.5)
        await self.read_or_refused(drawn[1])

    async def read_or_refused(self, drawn):
        """A 429 to one of several is no reason to leave the others unread."""
        case, _, _, received = drawn
        try:
            await self.read(received)
        except TooBusy:
            return self.load.count("refused with 429")
        self.judge(case, received)

    def draw_several(self):
        cases = [case for case in self.rng.choices(self.load.cases, k=12) if not case.is_chat() and case.samples() == 1][:3]
        names = [self.new_name() for _ in cases]
        body = {"text": [case.prompt for case in cases], "sampling_params": [case.sampling for case in cases],
                "rid": names, "stream": self.rng.random() < 0.5}
        received = Received("/generate", len(cases))
        return cases, names, body, received

    async def asks_for_several(self):
        cases, _, body, received = self.draw_several()
        if not cases:
            return
        await self.send(("/generate", body))
        await self.read(received)
        for case, one in zip(cases, received.split(), strict=True):
            self.judge(case, one)

    # ---- aborts ----

    async def abort(self, name):
        connection = Connection(self.load.address)
        head, body = await connection.ask(request_bytes("POST", "/abort_request", json.dumps({"rid": name}).encode()))
        connection.close()
        if head.status != 200:
            raise Wrong(f"/abort_request: status {head.status}: {body[:300]!r}")

    async def abort_later(self, name):
        await asyncio.sleep(self.rng.choice([0, 0.001, 0.01, 0.05, 0.2]))
        await self.abort(name)

    async def aborts(self):
        case, path, body, received = self.draw()
        await self.send((path, body))
        at = self.rng.randrange(1, 30)

        async def on_event(count):
            if count == at:
                await self.abort(body["rid"])

        if body["stream"] and self.rng.random() < 0.5:
            await self.read(received, on_event=on_event)
        else:
            _, _ = await asyncio.gather(self.abort_later(body["rid"]), self.read(received))
        self.judge(case, received, whole=False)
        self.load.ended(received)

    async def aborts_one_of_several(self):
        cases, names, body, received = self.draw_several()
        if not cases:
            return
        await self.send(("/generate", body))
        chosen = self.rng.randrange(len(cases))
        await asyncio.gather(self.abort_later(names[chosen]), self.read(received))
        for number, (case, one) in enumerate(zip(cases, received.split(), strict=True)):
            self.judge(case, one, whole=number != chosen)
        self.load.ended(received)

    # ---- leaving ----

    async def leaves_waiting(self):
        """While it is queued, or its prompt is computed, or later."""
        _, path, body, _ = self.draw()
        await self.send((path, body))
        await asyncio.sleep(self.rng.choice([0, 0.001, 0.005, 0.02, 0.1, 0.5]))
        if self.rng.random() < 0.3:
            self.connection.socket.shutdown(socket.SHUT_WR)
            await asyncio.sleep(self.rng.choice([0, 0.05]))
        self.connection.close(reset=self.rng.random() < 0.5)

    async def leaves_a_stream(self):
        case, path, body, received = self.draw(stream=True)
        await self.send((path, body))
        await self.read(received, events=self.rng.randrange(1, 40))
        self.judge(case, received, whole=False)
        self.connection.close(reset=self.rng.random() < 0.5)

    async def leaves_while_asking(self):
        _, path, body, _ = self.draw()
        request = request_bytes("POST", path, json.dumps(body).encode())
        connection = Connection(self.load.address)
        await connection.open()
        await connection.send(request[:self.rng.randrange(1, len(request))])
        await asyncio.sleep(self.rng.choice([0, 0.01, 0.1]))
        connection.close(reset=self.rng.random() < 0.5)

    # ---- slow readers ----

    async def begin_long_stream(self):
        """One of megabytes."""
        self.connection.close()
        case = self.rng.choice(self.load.long_cases)
        path, body = case.request(openai=False, stream=True, logprobs=60)
        await self.send((path, body), receive_buffer=SMALL_RECEIVE_BUFFER)
        return case, Received(path, 1)

    async def reads_slowly(self):
        """Some hundred bytes a second for a while, then all of it: what was merged meanwhile must be right too."""
        case, received = await self.begin_long_stream()
        self.connection.throttle = (self.rng.randrange(10, 200), 0.1)
        hurry = asyncio.get_running_loop().call_later(self.load.stall_s / 3, self.connection.hurry)
        try:
            await self.read(received)
        except Closed:
            # Where others take the processors for seconds, this client was too slow, and rightly dropped.
            if not self.load.stood_still(2 * self.load.stall_s):
                raise
            self.load.count("read slowly at a standstill, and was dropped")
        finally:
            hurry.cancel()
            self.connection.hurry()
        self.judge(case, received, whole=received.answers[0].finish is not None)
        self.connection.close()

    async def stops_reading(self):
        """Until the server gives up; what it had sent by then must be right."""
        case, received = await self.begin_long_stream()
        await self.read(received, events=self.rng.randrange(1, 5))
        await asyncio.sleep(self.load.stall_s * 2)
        try:
            async for event in self.stream:
                if event != b"[DONE]":
                    received.add(event)
            self.load.count("stopped reading, and all fitted into the buffers")
        except Closed:
            self.load.count("stopped reading, and was dropped")
        self.judge(case, received, whole=False)
        self.connection.close()

    # ---- others ----

    async def streams_to_the_end(self, begun):
        """Whatever happens to the server meanwhile."""
        case = self.rng.choice(self.load.long_cases)
        path, body = case.request(openai=False, stream=True)
        await self.send((path, body))
        received = Received(path, 1)

        async def on_event(count):
            if count == 1:
                begun.release()

        await self.read(received, on_event=on_event)
        self.judge(case, received)

    async def asks_nonsense(self):
        kind = self.rng.random()
        if kind < 0.3:
            self.connection.close()
            request = hostile_clients.wrong_http(self.rng)
        else:
            make = hostile_clients.wrong_field if kind < 0.7 else hostile_clients.wrong_json
            path, body = make(self.rng)
            request = hostile_clients.with_body(path, body)
        self.asked = repr(request[:300])
        head, body = await self.connection.ask(request)
        if not 400 <= head.status < 500:
            raise Wrong(f"status {head.status}, expected 4xx: {body[:300]!r}")

    async def tokenizes(self):
        prompt = self.rng.choice(self.load.cases).prompt
        text = prompt if isinstance(prompt, str) else prompt[-1]["content"]
        await self.send(("/tokenize", {"prompt": text, "add_special_tokens": False}))
        tokens = await self.json_answer()
        await self.send(("/detokenize", {"tokens": tokens["tokens"]}))
        back = (await self.json_answer())["text"]
        if back != text:
            raise Wrong(f"{text!r} became {back!r}")

    async def json_answer(self):
        return json.loads(await self.read_whole(await self.connection.read_head()))
