"""A server's address that can be cut, deafened or slowed: what stands between an application and PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit


class Proxy:
    """Passes bytes on, until a message of the client's holds what it was told to watch for."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._to = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._parts = parts
        self._pipes: set[asyncio.StreamWriter] = set()
        self._watched: bytes | None = None
        self._is_swallowed = False
        self._answers = True
        self.caught = asyncio.Event()
        self.url = ""

    def cut_at(self, text: bytes, *, before: bool) -> None:
        """Cut the next connection whose client sends this, before the server gets it or instead of its answer."""
        self._watched, self._is_swallowed = text, before
        self.caught.clear()

    def deafen(self) -> None:
        """Pass on what clients send, but no answer any more."""
        self._answers = False

    def heal(self) -> None:
        """Pass everything on again; connections that missed something are cut."""
        self._watched, self._answers = None, True
        self.cut_all()

    def cut_all(self) -> None:
        for pipe in list(self._pipes):
            pipe.transport.abort()

    async def serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection(*self._to)
        self._pipes |= {to_client, to_server}
        answers = asyncio.create_task(self._answer(server, to_client))
        try:
            with contextlib.suppress(ConnectionError):
                await self._forward(client, to_server, answers)
        finally:
            answers.cancel()
            await asyncio.wait({answers})
            for pipe in (to_client, to_server):
                pipe.transport.abort()
                self._pipes.discard(pipe)

    async def _forward(
        self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter, answers: asyncio.Task[None]
    ) -> None:
        while data := await client.read(65536):
            if self._watched is not None and self._watched in data:
                self._watched = None
                if not self._is_swallowed:
                    answers.cancel()  # the server does it, and nobody hears of it
                    to_server.write(data)
                    await to_server.drain()
                    await asyncio.sleep(0.2)
                self.caught.set()
                return
            to_server.write(data)
            await to_server.drain()

    async def _answer(self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await server.read(65536):
                if self._answers:
                    to_client.write(data)
                    await to_client.drain()
        to_client.transport.abort()


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[Proxy]:
    """A proxy before the server of a URL; its own `url` leads to the same database."""
    proxy = Proxy(url)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    login, at, _ = proxy._parts.netloc.rpartition("@")
    proxy.url = urlunsplit(proxy._parts._replace(netloc=f"{login}{at}127.0.0.1:{port}"))
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut_all()
        await server.wait_closed()
