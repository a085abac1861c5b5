"""Searching as a person meets it, the command beside it, and the task that keeps the index."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from app.domain import ids
from app.domain.actors import Actor
from app.domain.errors import ChatError, Invalid, Unavailable
from app.domain.ids import TenantId
from app.domain.pages import InvalidCursor
from app.domain.search import Hits, Indexed, Lag, Order
from app.domain.unit_of_work import Store
from app.entrypoints.cli.search import app as search_app
from app.services import search as service
from app.services.search import SearchService
from tests.services.world import StandingClock, World, id_of

pytestmark = pytest.mark.spec("3.4")


def said(hits: Hits) -> list[str]:
    return [hit.message.content for hit in hits.items]


async def test_a_search(world: World) -> None:
    ann, bob, eve = await world.persons("ann", "bob", "eve")
    room, other = await world.room(ann, bob), await world.room(ann)
    await world.say(ann, room, "tea at four", "no, coffee")
    await world.say(bob, room, "tea it is")
    await world.say(ann, other, "secret tea")
    search = world.chat.search.search
    assert said(await search(bob, "tea")) == ["tea it is", "tea at four"]
    assert said(await search(ann, "tea -secret", fresh=True, authors=[ids.ulid(id_of(bob))])) == ["tea it is"]
    assert said(await search(ann, "tea", rooms=[str(other.id), room.id])) == ["secret tea", "tea it is", "tea at four"]
    assert said(await search(eve, "tea")) == []
    assert len((await search(world.system, "tea", order="rank")).items) == 3
    first = await search(ann, "tea", limit=2)
    assert said(await search(ann, "tea", limit=2, cursor=first.next)) == ["tea at four"]
    assert [hit.snippet.matches for hit in first.items] == [((7, 10),), ((0, 3),)]


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": None}, "text"),
        ({"text": "a\x00b"}, "text"),
        ({"limit": 101}, "limit"),
        ({"limit": True}, "limit"),
        ({"rooms": "one"}, "rooms"),
        ({"rooms": ["one"]}, "rooms"),
        ({"authors": ["me"]}, "authors"),
        ({"threads": 7}, "threads"),
        ({"types": ["nonsense"]}, "types"),
        ({"order": "best"}, "order"),
        ({"since": datetime(2026, 1, 1)}, "since"),  # noqa: DTZ001 - naive on purpose
        ({"since": datetime(2026, 1, 2, tzinfo=UTC), "until": datetime(2026, 1, 1, tzinfo=UTC)}, "until"),
    ],
)
async def test_what_is_no_search_names_what_is_wrong(world: World, arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        await world.chat.search.search(world.system, **{"text": "tea", **arguments})
    assert str(refused.value.details["field"]).startswith(field)


async def test_a_cursor_of_something_else(world: World) -> None:
    with pytest.raises(InvalidCursor):
        await world.chat.search.search(world.system, "tea", cursor="x")


@pytest.mark.parametrize("limit", [0, 10_001, True, "5", None])
async def test_a_step_of_indexing_is_bounded(world: World, limit: Any) -> None:
    with pytest.raises(Invalid) as refused:
        await world.chat.search.index_pending(limit)
    assert refused.value.details["field"] == "limit"


def test_the_command_on_memory_has_nothing_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHAT_ADAPTERS", "memory")
    runner = CliRunner()
    for command in ("index", "rebuild"):
        assert runner.invoke(search_app, [command, "--batch", "7"]).stdout == "0 messages indexed\n"
    assert json.loads(runner.invoke(search_app, ["lag", "--json"]).stdout) == {"events": 0, "oldest_seconds": 0.0}
    assert runner.invoke(search_app, ["lag"]).stdout == "0 events pending\n"


# ── the task ──────────────────────────────────────────────────────────────────────────────────────────────────────


class _Index:
    """Answers each step as told, then has nothing to do; remembers what it was asked."""

    def __init__(self, *answers: Indexed | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[datetime | None] = []

    @property
    def search_index(self) -> _Index:
        return self

    async def index(
        self,
        limit: int,
        *,
        tenant_id: TenantId | None = None,
        seen_by: Actor | None = None,
        since: datetime | None = None,
    ) -> Indexed:
        self.asked.append(since)
        answer = self._answers.pop(0) if self._answers else Indexed(0, 0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def lag(self, tenant_id: TenantId | None = None) -> Lag:
        return Lag(0, timedelta(0))


async def _run(
    index: _Index, monkeypatch: pytest.MonkeyPatch, sleeps: int
) -> tuple[list[float], list[datetime | None]]:
    """The pauses the task makes until it has made so many, and what it asked for."""
    clock = StandingClock()
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == sleeps:
            raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await SearchService(cast(Store, index), clock).keep_indexed()
    return pauses, [None if since is None else clock() - since for since in index.asked]  # type: ignore[misc]  # spans


async def test_the_task_goes_on_without_a_pause_while_something_is_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    """First over all rooms, then over those the log names of late."""
    pauses, asked = await _run(_Index(Indexed(500, 3), Indexed(2, 1)), monkeypatch, sleeps=3)
    assert pauses == [service.IDLE_SECONDS] * 3
    assert asked == [None, None, None, timedelta(seconds=10), timedelta(seconds=10)]


async def test_the_task_outlives_failures_and_pauses_longer_after_each(monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[ChatError | Exception] = [Unavailable("gone"), ValueError("a defect"), *[Unavailable("gone")] * 6]
    pauses, asked = await _run(_Index(*failures), monkeypatch, sleeps=10)
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30, 0.5, 0.5]
    assert asked[:9] == [None] * 9, "what has failed was no sweep"


async def test_ranked_pages_are_told_from_newest(world: World) -> None:
    ann = await world.person("ann")
    room = await world.room(ann)
    await world.say(ann, room, "tea tea tea", "tea")
    ranked = await world.chat.search.search(ann, "tea", order=Order.RANK, limit=1)
    assert said(ranked) == ["tea tea tea"]
    with pytest.raises(InvalidCursor):
        await world.chat.search.search(ann, "tea", order=Order.NEWEST, limit=1, cursor=ranked.next)
