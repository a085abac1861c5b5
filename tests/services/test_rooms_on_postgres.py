"""What people do with rooms, once more on PostgreSQL: the tests of the services beside this file, each on a database of
its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.container import Container, open_app
from app.settings import Settings
from tests.conftest import DatabaseServer
from tests.migrations.filling import migrated
from tests.services import test_invitations, test_moderation, test_room_states
from tests.services.world import PlainPasswords, StandingClock, World

pytestmark = [pytest.mark.postgres, pytest.mark.spec("2.20"), pytest.mark.spec("3.3")]


@pytest.fixture
async def world(database_server: DatabaseServer, clock: StandingClock) -> AsyncIterator[World]:
    async with database_server.database(await database_server.template("migrated", migrated)) as url:
        container = Container()
        container.clock.override(clock)
        container.passwords.override(PlainPasswords())
        settings = Settings(environment="test", database_url=url)
        async with open_app(settings, container=container) as chat:
            yield World(chat, clock)


for module in (test_invitations, test_moderation, test_room_states):
    globals().update({name: test for name, test in vars(module).items() if name.startswith("test_")})
