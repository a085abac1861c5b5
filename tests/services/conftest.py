"""A whole application on memory, with a clock that stands still and passwords that cost nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.container import Container, open_app
from app.settings import Settings
from tests.services.world import PlainPasswords, StandingClock, World


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
async def world(clock: StandingClock) -> AsyncIterator[World]:
    container = Container()
    container.clock.override(clock)
    container.passwords.override(PlainPasswords())
    async with open_app(Settings(adapters="memory"), container=container) as chat:
        yield World(chat, clock)
