"""HTTP/1.1 on plain asyncio sockets, so that a client can also read slowly, pipeline, and leave when it likes."""

import asyncio
import socket
import struct
from dataclasses import dataclass

RECEIVE_BYTES = 65536


class Closed(Exception):
    """The server ended the connection."""


@dataclass
class Head:
    status: int
    headers: dict

    def chunked(self):
        return self.headers.get("transfer-encoding") == "chunked"


def request_bytes(method, path, body=b"", headers=""):
    return (f"{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode() + body


class Connection:
    """One connection to (host, port); answers are read in the order of the requests."""

    def __init__(self, address):
        self.address = address
        self.socket = None
        self.received = bytearray()
        self.throttle = None  # (bytes, seconds): takes at most so much at a time, so often

    async def open(self, receive_buffer=0):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        await asyncio.get_running_loop().sock_connect(self.socket, self.address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def is_open(self):
        return self.socket is not None

    def close(self, reset=False):
        if self.socket is None:
            return
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
        self.socket = None
        self.received.clear()

    def hurry(self):
        self.throttle = None

    async def send(self, data):
        try:
            await asyncio.get_running_loop().sock_sendall(self.socket, data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before it was read to its end: the answer is there

    async def _more(self):
        size = RECEIVE_BYTES
        if self.throttle:
            size, pause = self.throttle
            await asyncio.sleep(pause)
        try:
            data = await asyncio.get_running_loop().sock_recv(self.socket, size)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Closed()
        self.received += data

    async def _until(self, mark):
        searched = 0
        while (at := self.received.find(mark, searched)) < 0:
            searched = max(0, len(self.received) - len(mark))
            await self._more()
        return self._take(at, len(mark))

    async def _exactly(self, count):
        while len(self.received) < count:
            await self._more()
        return self._take(count)

    def _take(self, count, skipped=0):
        data = bytes(self.received[:count])
        del self.received[:count + skipped]
        return data

    async def read_head(self):
        lines = (await self._until(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        return Head(int(lines[0].split(" ")[1]), headers)

    async def chunks(self):
        while size := int(await self._until(b"\r\n"), 16):
            yield await self._exactly(size)
            await self._exactly(2)
        await self._until(b"\r\n")

    async def read_body(self, head):
        if head.chunked():
            return b"".join([chunk async for chunk in self.chunks()])
        return await self._exactly(int(head.headers.get("content-length", 0)))

    async def events(self):
        """The data of the server-sent events of a chunked answer."""
        text = b""
        async for chunk in self.chunks():
            *whole, text = (text + chunk).split(b"\n\n")
            for event in whole:
                yield event.removeprefix(b"data: ")

    def settle(self, head):
        """After an answer was read to its end: closes it if the server said so."""
        if head.headers.get("connection") == "close":
            self.close()

    async def ask(self, data):
        """Status and body of the answer to one request; opens the connection if need be."""
        if not self.is_open():
            await self.open()
        await self.send(data)
        head = await self.read_head()
        body = await self.read_body(head)
        self.settle(head)
        return head, body
