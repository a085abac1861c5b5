"""The unit of work, the single statement and the reader in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum, auto
from types import TracebackType
from typing import Self

from app.domain.actors import Actor
from app.domain.errors import ChatError, Misuse, Unavailable
from app.domain.events import Change
from app.domain.unit_of_work import Once, Reader, UnitOfWork
from app.domain.values import Moment

from .identity import (
    MemoryStatusWriter,
    MemoryTenantReader,
    MemoryTenants,
    MemoryUserReader,
    MemoryUsers,
)
from .imports import MemoryImports
from .messaging import MemoryMessageReader, MemoryMessages, MemoryMessageWriter
from .reading import MemoryReading, MemoryReadingReader, MemoryReadingWriter
from .rooms import MemoryRoomReader, MemoryRooms
from .tables import View
from .transaction import Transaction

Begin = Callable[[Actor], Transaction]
"""Opens a transaction at the clock's time. Raises `Misuse` when the store was closed."""


class _State(Enum):
    NEW = auto()
    OPEN = auto()
    COMMITTING = auto()
    OVER = auto()


class MemoryUnitOfWork(UnitOfWork):
    """Several reads and writes on one overlay."""

    def __init__(self, actor: Actor, begin: Begin) -> None:
        self._actor = actor
        self._begin = begin
        self._state = _State.NEW
        self._task: asyncio.Task[object] | None = None
        self._transaction: Transaction | None = None
        self._tenants = MemoryTenants(self, self)
        self._users = MemoryUsers(self, self)
        self._rooms = MemoryRooms(self, self)
        self._messages = MemoryMessages(self, self)
        self._reading = MemoryReading(self, self)
        self._imports = MemoryImports(self)

    @property
    def actor(self) -> Actor:
        return self._actor

    @property
    def now(self) -> Moment:
        if self._transaction is None:
            raise Misuse("the unit of work has not been entered")
        return self._transaction.now

    @property
    def tenants(self) -> MemoryTenants:
        return self._tenants

    @property
    def users(self) -> MemoryUsers:
        return self._users

    @property
    def rooms(self) -> MemoryRooms:
        return self._rooms

    @property
    def messages(self) -> MemoryMessages:
        return self._messages

    @property
    def reading_(self) -> MemoryReading:
        return self._reading

    @property
    def imports(self) -> MemoryImports:
        return self._imports
