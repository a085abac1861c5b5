"""Opening an application and exchanging its parts."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from dependency_injector import providers
from pydantic import SecretStr

from app.container import Chat, Container, open_app
from app.domain.actors import Actor
from app.domain.errors import Invalid, Misuse, Unavailable
from app.domain.identity import AccountType, Registration, User
from app.domain.messaging import Draft
from app.domain.rooms import NewRoom
from app.infrastructure.local.passwords import ThreadedPasswords
from app.settings import Settings, SettingsError
from tests.services.world import PlainPasswords, StandingClock

MEMORY = Settings(adapters="memory", environment="test")
SYSTEM = Actor.system()


async def a_guest(chat: Chat, name: str = "ann") -> User:
    return await chat.identity.register(SYSTEM, Registration(username=name, account_type=AccountType.GUEST))


async def test_memory_is_a_whole_application() -> None:
    async with open_app(MEMORY) as chat, chat.events.subscribe() as events:
        ann = await chat.identity.register(
            SYSTEM, Registration(username="ann", email="ann@example.org", password=SecretStr("correct horse"))
        )
        actor = Actor(user_id=ann.id)
        room = await chat.rooms.create(actor, NewRoom(name="Lounge"))
        sent = await chat.messages.send(actor, room.id, Draft(content="Hello"))
        assert (await chat.messages.history(actor, room.id)).items == (sent.message,)
        assert [summary.unread for summary in await chat.rooms.my_rooms(actor)] == [0]
        assert [count.count for count in await chat.reading.unread(actor)] == [0]
        assert [(await anext(events)).revision for _ in range(3)] == [1, 2, 3]
        today = datetime.now(UTC).date()
        await chat.months.ensure(today, today)
        async with chat.store.unit_of_work(SYSTEM) as uow:
            account = await uow.users.hold(ann.id)
        assert (account.password_hash or "").startswith("$2b$10$")  # the real hashing, at the settings' cost


async def test_one_part_is_exchanged_in_one_line() -> None:
    container, clock = Container(), StandingClock()
    container.clock.override(clock)
    container.config.override(MEMORY)
    async with open_app(container=container) as chat:
        assert (await a_guest(chat)).created_at == clock.time
        clock.go_on()
        assert (await a_guest(chat, "bob")).created_at == clock.time
        # everything else is as it was
        assert isinstance(container.passwords(), ThreadedPasswords)
        assert chat.events is container.bus()
        assert chat.store is container.store()


async def test_a_part_is_exchanged_for_a_while() -> None:
    container, clock = Container(), StandingClock()
    with container.clock.override(providers.Object(clock)):
        async with open_app(MEMORY, container=container) as chat:
            assert (await a_guest(chat)).created_at == clock.time
    async with open_app(MEMORY, container=container) as chat:
        assert (await a_guest(chat)).created_at > clock.time.replace(year=2020)
        assert (await a_guest(chat, "bob")).created_at != clock.time


@pytest.mark.parametrize("part", ["clock", "ids", "passwords", "bus", "store"])
async def test_every_part_can_be_exchanged(part: str) -> None:
    async with open_app(MEMORY) as other:
        strangers = {
            "clock": StandingClock(),
            "ids": Container.ids(),
            "passwords": PlainPasswords(),
            "bus": other.events,
            "store": other.store,
        }
        container = Container()
        container.providers[part].override(strangers[part])
        async with open_app(MEMORY, container=container) as chat:
            await a_guest(chat)
            assert container.providers[part]() is strangers[part]
        # what was handed in is not closed with the application that used it
        await a_guest(other, "bob")


async def test_two_applications_share_nothing() -> None:
    async with open_app(MEMORY) as one, open_app(MEMORY) as other, other.events.subscribe() as events:
        await a_guest(one)
        await one.rooms.create(SYSTEM, NewRoom(name="One"))
        assert await other.identity.find_by_username(SYSTEM, "ann") is None
        await other.rooms.create(SYSTEM, NewRoom(name="Other", external_id="other"))
        other_room = await other.rooms.find_by_external_id(SYSTEM, "other")
        assert other_room is not None
        assert (await anext(events)).room_id == other_room.id


async def test_one_container_opened_twice_gives_two_applications() -> None:
    container = Container()
    async with open_app(MEMORY, container=container) as outer:
        await a_guest(outer)
        async with open_app(MEMORY, container=container) as inner:
            assert await inner.identity.find_by_username(SYSTEM, "ann") is None
        assert await outer.identity.find_by_username(SYSTEM, "ann") is not None
        await a_guest(outer, "bob")


async def test_leaving_closes_what_was_made() -> None:
    container = Container()
    async with open_app(MEMORY, container=container) as chat, chat.events.subscribe() as events:
        passwords = container.passwords()
        await a_guest(chat)
    with pytest.raises(StopAsyncIteration):
        await anext(events)
    with pytest.raises(Misuse):
        await a_guest(chat)
    with pytest.raises(RuntimeError, match="shutdown"):
        await passwords.hash(SecretStr("correct horse"))


async def test_an_error_inside_closes_too_and_passes() -> None:
    with pytest.raises(ZeroDivisionError):
        async with open_app(MEMORY) as chat:
            raise ZeroDivisionError
    with pytest.raises(Misuse):
        await a_guest(chat)


async def test_what_was_made_is_closed_when_the_rest_cannot_be_made() -> None:
    container = Container()
    made: list[ThreadedPasswords] = []

    def broken() -> None:
        made.append(container.passwords())
        raise ZeroDivisionError

    container.messages.override(providers.Callable(broken))
    with pytest.raises(ZeroDivisionError):
        async with open_app(MEMORY, container=container):
            pytest.fail("nothing was opened")
    with pytest.raises(RuntimeError, match="shutdown"):
        await made[0].hash(SecretStr("correct horse"))


async def test_settings_reach_the_parts() -> None:
    async with open_app(Settings(adapters="memory", message_max_length=3)) as chat:
        ann = Actor(user_id=(await a_guest(chat)).id)
        room = await chat.rooms.create(ann, NewRoom(name="Lounge"))
        with pytest.raises(Invalid, match="at most 3 characters"):
            await chat.messages.send(ann, room.id, Draft(content="four"))


async def test_settings_say_how_passwords_are_hashed() -> None:
    container = Container()
    settings = Settings(adapters="memory", password_algorithm="argon2id", password_threads=5, bcrypt_rounds=10)  # noqa: S106 - its name only
    async with open_app(settings, container=container):
        passwords = container.passwords()
        assert (await passwords.hash(SecretStr("correct horse"))).startswith("$argon2id$")
        assert passwords._threads._max_workers == 5


async def test_without_settings_the_environment_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # no .env of whoever runs this
    monkeypatch.setenv("CHAT_ADAPTERS", "memory")
    async with open_app() as chat:
        await a_guest(chat)
    monkeypatch.setenv("CHAT_ADAPTERS", "paper")
    with pytest.raises(SettingsError):
        async with open_app():
            pytest.fail("nothing was opened")


def test_memory_needs_no_driver() -> None:
    program = """
import asyncio, sys
from app.container import open_app
from app.settings import Settings

async def main():
    async with open_app(Settings(adapters="memory")):
        print(sorted({"asyncpg", "alembic", "redis"} & set(sys.modules)))

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


async def test_opening_on_postgresql_connects_to_nothing() -> None:
    nowhere = Settings(database_url=SecretStr("postgresql://u:p@127.0.0.1:9/chatdb"), connect_timeout_seconds=1)
    async with open_app(nowhere) as chat:
        with pytest.raises(Unavailable):
            await chat.identity.find_by_username(SYSTEM, "ann")
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        async with open_app(Settings()):
            pytest.fail("nothing was opened")


async def test_settings_of_one_application_are_not_the_next_ones() -> None:
    container = Container()
    container.config.override(MEMORY)
    short = Settings(adapters="memory", message_max_length=5)
    async with open_app(short, container=container), open_app(container=container) as chat:
        ann = await a_guest(chat)
        room = await chat.rooms.create(Actor(user_id=ann.id), NewRoom(name="Lounge"))
        await chat.messages.send(Actor(user_id=ann.id), room.id, Draft(content="longer than five"))
