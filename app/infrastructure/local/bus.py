"""Delivery of committed events inside the process (SPEC 5.1)."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from app.domain.events import Bus, RoomEvent, SubscriberTooSlow
from app.domain.ids import RoomId

BUFFER = 10_000
"""Events a subscriber may fall behind by default: some seconds of a very busy application."""


class InProcessBus(Bus):
    """Hands every announced event to the subscribers there are at that moment, each with a buffer of its own.

    A subscriber that falls further behind than its buffer is ended with `SubscriberTooSlow`, at once and without
    what it had not read yet: it has to read the log anyway. The others do not notice. Announcing and subscribing may
    happen on different event loops and threads; every stream sees events in the order they were announced.
    """

    def __init__(self, buffer: int = BUFFER) -> None:
        """`buffer` is the number of events a subscriber may fall behind."""
        if buffer < 1:
            raise ValueError("buffer must be at least 1")
        self._buffer = buffer
        self._lock = threading.Lock()
        self._closed = False
        # By room, None for all rooms. A tuple is replaced, never changed, so announcing walks it without the lock.
        self._streams: dict[RoomId | None, tuple[_Stream, ...]] = {}

    def announce(self, events: Sequence[RoomEvent]) -> None:
        for event in events:
            for stream in (*self._streams.get(None, ()), *self._streams.get(event.room_id, ())):
                stream.offer(event)

    @asynccontextmanager
    async def subscribe(self, room_id: RoomId | None = None) -> AsyncIterator[AsyncIterator[RoomEvent]]:
        stream = _Stream(self._buffer, asyncio.get_running_loop())
        with self._lock:
            if self._closed:
                stream.end()
            else:
                self._streams[room_id] = (*self._streams.get(room_id, ()), stream)
        try:
            yield stream
        finally:
            with self._lock:
                left = tuple(other for other in self._streams.get(room_id, ()) if other is not stream)
                if left:
                    self._streams[room_id] = left
                else:
                    self._streams.pop(room_id, None)
            stream.end()

    def close(self) -> None:
        """Ends every stream, those opened later included. What was announced before is still delivered."""
        with self._lock:
            self._closed = True
            streams = [stream for held in self._streams.values() for stream in held]
            self._streams.clear()
        for stream in streams:
            stream.finish()


class _Stream(AsyncIterator[RoomEvent]):
    """One subscriber's events, in order. Belongs to the event loop that opened it; offered to from anywhere."""

    def __init__(self, buffer: int, loop: asyncio.AbstractEventLoop) -> None:
        self._buffer = buffer
        self._loop = loop
        self._lock = threading.Lock()
        self._waiting: deque[RoomEvent] = deque()
        self._something = asyncio.Event()
        self._finished = False
        self._too_slow = False

    def offer(self, event: RoomEvent) -> None:
        with self._lock:
            if self._finished or self._too_slow:
                return
            if len(self._waiting) >= self._buffer:
                self._too_slow = True
                self._waiting.clear()
            else:
                self._waiting.append(event)
        self._wake()

    def finish(self) -> None:
        """Nothing more will come; what waits is still read."""
        with self._lock:
            self._finished = True
        self._wake()

    def end(self) -> None:
        """The subscriber has gone: nothing more is read."""
        with self._lock:
            self._finished = True
            self._too_slow = False
            self._waiting.clear()
        self._wake()

    async def __anext__(self) -> RoomEvent:
        while True:
            with self._lock:
                if self._waiting:
                    return self._waiting.popleft()
                if self._too_slow:
                    raise SubscriberTooSlow(buffer=self._buffer)
                if self._finished:
                    raise StopAsyncIteration
                self._something.clear()
            await self._something.wait()

    def _wake(self) -> None:
        if self._something.is_set():
            return
        try:
            here = asyncio.get_running_loop() is self._loop
        except RuntimeError:  # no loop runs in this thread
            here = False
        if here:
            self._something.set()
            return
        try:
            self._loop.call_soon_threadsafe(self._something.set)
        except RuntimeError:  # the subscriber's loop is closed: nobody is left to wake
            return
