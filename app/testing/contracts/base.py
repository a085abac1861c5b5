"""What the suites share: the world fixture, and calls made while somebody else holds a lock."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Coroutine
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
import pytest_asyncio

from app.testing.harness import Harness
from app.testing.world import Form, World

T = TypeVar("T")

forms = pytest.mark.parametrize("form", list(Form))
"""Run a test through `once` and inside a unit of work: the verbs behave alike."""


class Contract:
    """A suite: subclass it where a `harness` fixture is in sight."""

    pytestmark = pytest.mark.asyncio

    @pytest_asyncio.fixture
    async def world(self, harness: Harness) -> World:
        return await World.new(harness)


def all_contracts() -> tuple[type[Contract], ...]:
    """Every suite imported so far."""
    return tuple(c for c in Contract.__subclasses__() if c.__module__.startswith("app.testing."))


async def blocked(harness: Harness, call: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """A call in a task of its own that has to wait for a lock."""
    task = asyncio.create_task(call)
    if not await harness.is_waiting(task):
        raise AssertionError(f"it did not wait: {task.exception() or task.result()!r}")
    return task


async def released(harness: Harness, task: asyncio.Task[T]) -> T:
    """What a blocked call came to, now that nothing is in its way."""
    done, _ = await asyncio.wait({task}, timeout=harness.lock_timeout + 3)
    if not done:
        task.cancel()
        await asyncio.wait({task})
        raise AssertionError("it still waits")
    return task.result()


async def goes_through(harness: Harness, call: Awaitable[T]) -> T:
    """A call that must not wait for anybody."""
    task = asyncio.ensure_future(call)
    assert not await harness.is_waiting(task), "it waits"
    return await task


def missing_month() -> datetime:
    """The middle of a month nobody has made, far from all others; drawn, because a database may be shared."""
    return datetime(2100 + secrets.randbelow(5000), 1 + secrets.randbelow(12), 15, tzinfo=UTC)
