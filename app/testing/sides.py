"""One of two stores that are compared: its open units of work, and its own ids under names both share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any
from uuid import UUID

from app.domain.actors import Actor
from app.domain.documents import Document
from app.domain.errors import ChatError
from app.domain.files import File
from app.domain.ids import FileId, MessageId
from app.domain.messaging import Message
from app.domain.pages import Cursor, Page
from app.domain.unit_of_work import UnitOfWork
from app.domain.values import Value

from .harness import Harness
from .world import NO_FILE, NO_MESSAGE

Act = Callable[["Side", Any], Awaitable[Any]]
"""What to do on a side, with the verbs it is done by: a unit of work, `once` or a reader."""

Outcome = tuple[str, Any]
"""What came of an act: ``done`` with its result, or ``refused`` with the code of the error."""


async def _attempt(call: Awaitable[Any]) -> Outcome:
    try:
        return "done", await call
    except ChatError as error:
        return "refused", error.code


class OpenUnit:
    """A unit of work in a task of its own, since it belongs to one, that does as it is told until it ends."""

    def __init__(self, side: Side, actor: Actor) -> None:
        self._side = side
        self._orders: asyncio.Queue[tuple[Act | None, bool, asyncio.Future[Outcome]]] = asyncio.Queue()
        self._task = asyncio.get_running_loop().create_task(self._live(actor))

    def tell(self, act: Act) -> asyncio.Future[Outcome]:
        """Has something done inside the unit."""
        return self._order(act, ends=False)

    def end(self, commit: bool) -> asyncio.Future[Outcome]:
        """Commits or leaves without; the answer comes when the unit has been left."""

        async def commit_it(side: Side, uow: UnitOfWork) -> None:
            await uow.commit()

        return self._order(commit_it if commit else None, ends=True)

    async def abandon(self) -> None:
        """Leaves the unit whatever it is doing: what it held is free afterwards."""
        self._task.cancel()
        await asyncio.wait({self._task})

    def _order(self, act: Act | None, ends: bool) -> asyncio.Future[Outcome]:
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._orders.put_nowait((act, ends, answer))
        return answer

    async def _live(self, actor: Actor) -> None:
        ends, answer, outcome = False, None, ("done", None)
        try:
            async with self._side.harness.store.unit_of_work(actor) as uow:
                while not ends:
                    act, ends, answer = await self._orders.get()
                    outcome = ("done", None) if act is None else await _attempt(act(self._side, uow))
                    if not ends:
                        answer.set_result(outcome)
        except Exception as error:  # noqa: BLE001 - whoever asked is told, whatever it is
            if answer is not None and not answer.done():
                answer.set_exception(error)
        else:
            assert answer is not None
            answer.set_result(outcome)


class Side:
    """A store, its two units, and what has been seen of it."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self.units: list[OpenUnit | None] = [None, None]
        self.kept: dict[str, Any] = {}
        """Results that later steps hand back: cursors, rooms as they were read."""
        self.seen: dict[MessageId, Message] = {}
        """Every message as it was seen last."""
        self.files: dict[FileId, File] = {}
        """Every file as it was seen last, in the order of the first time."""
        self._names: dict[UUID, str] = {}
        self._ids: dict[str, UUID] = {}

    # ── doing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def alone(self, way: str, actor: Actor, act: Act) -> asyncio.Future[Outcome]:
        """Does something outside the open units: by ``once``, by a ``reader``, or in a ``unit`` of its own."""
        store = self.harness.store
        call: Coroutine[Any, Any, Outcome]
        if way == "unit":
            call = _attempt(self._in_a_unit(actor, act))
        else:
            verbs = store.once(actor) if way == "once" else store.reader(actor)
            call = _attempt(act(self, verbs))
        return asyncio.get_running_loop().create_task(call)

    async def _in_a_unit(self, actor: Actor, act: Act) -> Any:
        async with self.harness.store.unit_of_work(actor) as uow:
            result = await act(self, uow)
            await uow.commit()
        return result

    # ── names ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def message(self, back: int) -> MessageId:
        """The id of a message that was seen, counted back from the last one; of nobody's when there was none."""
        if not self._ids:
            return NO_MESSAGE
        number = len(self._ids) - 1 - back % len(self._ids)
        return MessageId(self._ids[_name(number)])

    def file(self, back: int) -> FileId:
        """The id of a file that was seen, counted back from the last one; of nobody's when there was none."""
        return NO_FILE if not self.files else list(self.files)[-1 - back % len(self.files)]

    def seen_file(self, back: int) -> File | None:
        return self.files.get(self.file(back))

    def plain(self, value: Any, shared: set[UUID]) -> Any:
        """A result without anything of this side's own: message ids become names by the order they were seen in.

        Ids in `shared` are the same on both sides and stay. Of cursors only their presence is told.
        """
        if isinstance(value, UUID):
            if value in self.files:  # named apart, so that what counts back messages meets messages
                return f"file {list(self.files).index(FileId(value)) + 1}"
            return str(value) if value in shared else self._named(value)
        if isinstance(value, Message):
            self.seen[value.id] = value
        if isinstance(value, File):
            self.files[value.id] = value
        if isinstance(value, Value):
            return type(value).__name__, {f: self.plain(v, shared) for f, v in dict(value).items()}
        if isinstance(value, Page):
            sides = {"older": value.older is not None, "newer": value.newer is not None}
            return "Page", {"items": self.plain(value.items, shared), **sides}
        if is_dataclass(value):
            return type(value).__name__, {f.name: self.plain(getattr(value, f.name), shared) for f in fields(value)}
        if isinstance(value, Document):
            return value.plain()
        if isinstance(value, Enum):
            return value.value
        if isinstance(value, tuple | list):
            return [self.plain(item, shared) for item in value]
        return value

    def _named(self, value: UUID) -> str:
        if value not in self._names:
            name = _name(len(self._names))
            self._names[value], self._ids[name] = name, value
        return self._names[value]

    def keep(self, name: str, page: Page[Any]) -> None:
        """Remembers where a page goes on."""
        for side, cursor in (("before", page.older), ("after", page.newer)):
            if cursor is not None:
                self.kept[f"{name} {side}"] = cursor

    def cursor(self, name: str, side: str) -> Cursor | None:
        found: Cursor | None = self.kept.get(f"{name} {side}")
        return found


def _name(number: int) -> str:
    return f"message {number + 1}"
