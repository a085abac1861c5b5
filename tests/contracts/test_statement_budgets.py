"""Every verb of the PostgreSQL adapter sends a fixed number of statements, however many rows it is about."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle, islice
from typing import Any

import pytest

from app.domain.events import Change, EventKind
from app.domain.identity import OnlineStatus
from app.domain.imports import Taken
from app.domain.invitations import InvitationStatus
from app.domain.messaging import MessageType, Thread
from app.domain.pages import Page
from app.domain.unit_of_work import Once, Reader, UnitOfWork
from app.testing import builders
from app.testing.harness import START
from app.testing.world import NO_ROOM, user_of
from tests.conftest import DatabaseServer
from tests.contracts.postgres_harness import migrate, postgres_harness
from tests.contracts.statement_scene import KEY, Ledger, Scene

pytestmark = pytest.mark.postgres

AREAS = ("identity", "rooms.ports", "invitations", "messaging.ports", "reading", "imports")
FEW, MANY = 1, 100
LIMIT = 100


@dataclass(frozen=True)
class Stage:
    """The statements of a store, and two scenes that differ in nothing but their size."""

    ledger: Ledger
    scenes: tuple[Scene, Scene]


@pytest.fixture(scope="module")
async def stage(database_server: DatabaseServer) -> AsyncIterator[Stage]:
    template = await database_server.template("contracts", migrate)
    async with database_server.database(template) as url, postgres_harness(url) as harness:
        ledger = Ledger(harness.store._engine)
        yield Stage(ledger, (await Scene.new(harness, FEW), await Scene.new(harness, MANY)))


async def nothing(scene: Scene) -> None:
    """What most verbs need to happen before."""


async def nothing_read(scene: Scene) -> None:
    """Ben has everything of every room before him."""
    async with scene.world.unit(scene.ben) as uow:
        for unread in await uow.reading.unread():
            page = await uow.messages.find_by_room(unread.room_id, limit=LIMIT)
            await uow.reading.mark_unread(unread.room_id, page.items[0].id)
        await uow.commit()


@dataclass(frozen=True)
class Verb:
    """A verb of a port and one way to call it."""

    port: str
    call: Callable[[Any, Scene], Awaitable[Any]]
    """Given a reader, `once` or a unit of work."""
    like: str = ""
    """Which way, where the port's verb stands here more than once."""
    by: str = "ann"
    budget: int = 1
    shows_size: bool = False
    """Whether as many rows come back as the scene is large: the proof that the call was about that many."""
    before: Callable[[Scene], Awaitable[None]] = nothing

    def __str__(self) -> str:
        return f"{self.port} {self.like}".strip()


READS = [
    Verb("TenantReader.find_by_slug", lambda to, s: to.tenants.find_by_slug(s.world.tenant.slug)),
    Verb("UserReader.find_by_id", lambda to, s: to.users.find_by_id(user_of(s.ben))),
    Verb("UserReader.find_by_email", lambda to, s: to.users.find_by_email("ANN@example.org")),
    Verb("UserReader.find_by_username", lambda to, s: to.users.find_by_username("ann")),
    Verb("UserReader.find_by_external_id", lambda to, s: to.users.find_by_external_id("crm-1")),
    Verb("UserReader.profile", lambda to, s: to.users.profile(user_of(s.ben))),
    Verb("UserReader.settings", lambda to, s: to.users.settings(user_of(s.ann))),
    Verb("RoomReader.find_by_id", lambda to, s: to.rooms.find_by_id(s.hall)),
    Verb("RoomReader.find_by_external_id", lambda to, s: to.rooms.find_by_external_id("hall-0")),
    Verb("RoomReader.seat", lambda to, s: to.rooms.seat(s.hall)),
    Verb("RoomReader.members", lambda to, s: to.rooms.members(s.hall, None, LIMIT), shows_size=True),
    Verb("RoomReader.browse", lambda to, s: to.rooms.browse("hall", None, LIMIT), shows_size=True),
    Verb("RoomReader.browse_mine", lambda to, s: to.rooms.browse_mine("hall", None, LIMIT), shows_size=True),
    Verb("RoomReader.bans", lambda to, s: to.rooms.bans(s.hall, None, LIMIT), shows_size=True),
    Verb(
        "RoomReader.children",
        lambda to, s: to.rooms.children(s.attic, None, LIMIT),
        by="outsider",
        shows_size=True,
    ),
    Verb("InvitationReader.find", lambda to, s: to.invitations.find(s.invitation.id)),
    Verb("InvitationReader.find_by_token", lambda to, s: to.invitations.find_by_token(s.token_hash)),
    Verb(
        "InvitationReader.find_by_room",
        lambda to, s: to.invitations.find_by_room(s.attic, START, None, LIMIT),
        shows_size=True,
    ),
    Verb(
        "InvitationReader.find_mine",
        lambda to, s: to.invitations.find_mine(START, None, LIMIT),
        by="outsider",
        shows_size=True,
    ),
    Verb("MessageReader.find", lambda to, s: to.messages.find(s.hall, s.hall_messages[0].id)),
    Verb("MessageReader.find_by_room", lambda to, s: to.messages.find_by_room(s.hall, limit=LIMIT), shows_size=True),
    Verb(
        "MessageReader.find_by_room",
        lambda to, s: to.messages.find_by_room(s.hall, limit=LIMIT, types=(MessageType.TEXT, MessageType.SYSTEM)),
        like="of two types",
        shows_size=True,
    ),
    Verb(
        "MessageReader.find_around",
        lambda to, s: to.messages.find_around(s.hall, s.hall_messages[s.size // 2].id, limit=LIMIT),
        shows_size=True,
    ),
    Verb(
        "MessageReader.find_thread",
        lambda to, s: to.messages.find_thread(s.attic, s.attic_messages[0].id, limit=LIMIT),
        by="ben",
        shows_size=True,
    ),
    Verb("ReadingReader.get_user_rooms", lambda to, s: to.reading.get_user_rooms(), shows_size=True),
    Verb("ReadingReader.unread", lambda to, s: to.reading.unread(), shows_size=True),
    Verb("ReadingReader.recount", lambda to, s: to.reading.recount(), shows_size=True),
    Verb("ReadingReader.readers", lambda to, s: to.reading.readers(s.hall, s.hall_messages[0].id), shows_size=True),
]

HOT_WRITES = [
    Verb("StatusWriter.update_online_status", lambda to, s: to.users.update_online_status(OnlineStatus.AWAY), by="ben"),
    Verb("MessageWriter.send", lambda to, s: to.messages.send(s.attic, builders.draft()), like="new", by="ben"),
    Verb(
        "MessageWriter.send",
        lambda to, s: to.messages.send(s.attic, builders.draft(client_key=KEY)),
        like="repeated",
        by="ben",
        budget=2,
    ),
    Verb("MessageWriter.edit", lambda to, s: to.messages.edit(s.attic, s.attic_messages[0].id, "better"), by="ben"),
    Verb("MessageWriter.delete", lambda to, s: to.messages.delete(s.attic, s.doomed.pop()), by="ben"),
    Verb(
        "ReadingWriter.mark_read",
        lambda to, s: to.reading.mark_read(s.attic, s.attic_messages[-1].id),
        by="ben",
        before=nothing_read,
    ),
    Verb(
        "ReadingWriter.mark_unread",
        lambda to, s: to.reading.mark_unread(s.attic, s.attic_messages[0].id),
        by="ben",
    ),
    Verb(
        "ReadingWriter.mark_all_read",
        lambda to, s: to.reading.mark_all_read(),
        by="ben",
        shows_size=True,
        before=nothing_read,
    ),
]

UNIT_WRITES = [
    Verb("Tenants.create", lambda to, s: to.tenants.create(builders.tenant())),
    Verb("Users.create", lambda to, s: to.users.create(builders.account(tenant_id=s.world.tenant.id))),
    Verb("Users.hold", lambda to, s: to.users.hold(user_of(s.ann))),
    Verb(
        "Users.save",
        lambda to, s: to.users.save(builders.account(tenant_id=s.world.tenant.id, id=user_of(s.ann))),
    ),
    Verb("Rooms.create", lambda to, s: to.rooms.create(*s.group())),
    Verb("Rooms.open_direct", lambda to, s: to.rooms.open_direct(*s.direct())),
    Verb("Rooms.save", lambda to, s: to.rooms.save(s.room(id=s.hall, name="Lounge"))),
    Verb("Rooms.hold", lambda to, s: to.rooms.hold(s.hall, user_of(s.ann))),
    Verb("Rooms.take_seat", lambda to, s: to.rooms.take_seat(s.seat(s.hall, s.outsider))),
    Verb("Rooms.save_membership", lambda to, s: to.rooms.save_membership(s.seat(s.hall, s.ann, notify_level="none"))),
    Verb("Rooms.put_membership", lambda to, s: to.rooms.put_membership(s.seat(s.hall, s.outsider, status="banned"))),
    Verb("Rooms.remove_guests", lambda to, s: to.rooms.remove_guests(s.attic), shows_size=True),
    Verb(
        "Rooms.open_child",
        lambda to, s: to.rooms.open_child(s.room(parent_room_id=s.hall, max_participants=None), None, None),
        shows_size=True,
    ),
    Verb("Invitations.create", lambda to, s: to.invitations.create(s.invited(s.attic, s.ann), None)),
    Verb("Invitations.save", lambda to, s: to.invitations.save(s.invitation.changed(uses=1))),
    Verb(
        "Invitations.close",
        lambda to, s: to.invitations.close(s.attic, user_of(s.outsider), InvitationStatus.REVOKED),
    ),
    Verb("Invitations.expire", lambda to, s: to.invitations.expire(LIMIT), shows_size=True),
    Verb("Imports.take_in", lambda to, s: to.imports.take_in(s.attic, s.imported()), shows_size=True),
]

NOT_HERE = {
    "Passwords.hash": "no store's",
    "Passwords.verify": "no store's",
    "Months.ensure": "has a test of its own below: what is missing is made step by step, so that others can go on",
}


def size_of(result: Any) -> int:
    """How many rows a call was about."""
    match result:
        case Page():
            return len(result.items)
        case Thread():
            return len(result.replies.items)
        case Taken():
            return result.stored
        case tuple():
            return len(result)
    raise AssertionError(f"{type(result).__name__} tells no size")


Way = Callable[[Verb, Scene], AbstractAsyncContextManager[Any]]


@asynccontextmanager
async def by_reader(verb: Verb, scene: Scene) -> AsyncIterator[Reader]:
    yield scene.world.reader(getattr(scene, verb.by))


@asynccontextmanager
async def by_once(verb: Verb, scene: Scene) -> AsyncIterator[Once]:
    yield scene.world.once(getattr(scene, verb.by))


@asynccontextmanager
async def in_a_unit(verb: Verb, scene: Scene) -> AsyncIterator[UnitOfWork]:
    """A unit of work that is open already, and is left without a commit."""
    async with scene.world.unit(getattr(scene, verb.by)) as uow:
        await uow.rooms.find_by_id(NO_ROOM)
        yield uow


async def prove(stage: Stage, verb: Verb, way: Way) -> None:
    """Called in the small scene and in the large one, the verb keeps to its budget."""
    for scene in stage.scenes:
        await verb.before(scene)
        async with way(verb, scene) as to, stage.ledger.counted() as sent:
            result = await verb.call(to, scene)
        assert len(sent) == verb.budget, sent
        assert not verb.shows_size or size_of(result) == scene.size


@pytest.mark.parametrize("verb", READS, ids=str)
async def test_a_read_is_one_statement(stage: Stage, verb: Verb) -> None:
    await prove(stage, verb, by_reader)
    await prove(stage, verb, in_a_unit)


@pytest.mark.parametrize("verb", HOT_WRITES, ids=str)
async def test_a_hot_write_is_its_own_transaction_in_one_statement(stage: Stage, verb: Verb) -> None:
    await prove(stage, verb, by_once)


@pytest.mark.parametrize("verb", [*HOT_WRITES, *UNIT_WRITES], ids=str)
async def test_a_write_inside_a_unit_is_one_statement(stage: Stage, verb: Verb) -> None:
    await prove(stage, verb, in_a_unit)


def kinds(sent: list[str]) -> list[str]:
    """Which statements they are: the function each calls, or what it does to the transaction."""
    found = [re.search(r"^BEGIN|^COMMIT|^ROLLBACK|chat_\w+(?=\()", statement) for statement in sent]
    return [kind.group() if kind else statement for kind, statement in zip(found, sent, strict=True)]


@pytest.mark.parametrize("number", [0, FEW, MANY])
async def test_a_unit_of_work_is_its_verbs_its_changes_and_two_more(stage: Stage, number: int) -> None:
    """Opening is one, committing is one, and all recorded changes together are one."""
    for scene in stage.scenes:
        async with stage.ledger.counted() as sent, scene.world.unit() as uow:
            await uow.rooms.hold(scene.hall, user_of(scene.ann))
            await uow.rooms.save_membership(scene.seat(scene.hall, scene.ann))
            for room_id in islice(cycle((scene.hall, scene.attic)), number):
                uow.record(Change(room_id=room_id, kind=EventKind.ROOM_UPDATED))
            await uow.commit()
        changes = ["chat_record"] if number else []
        assert kinds(sent) == ["BEGIN", "chat_hold_room", "chat_save_membership", *changes, "COMMIT"]


async def test_a_unit_of_work_that_only_records_is_three(stage: Stage) -> None:
    for scene in stage.scenes:
        async with stage.ledger.counted() as sent, scene.world.unit() as uow:
            uow.record(Change(room_id=scene.hall, kind=EventKind.ROOM_UPDATED))
            await uow.commit()
        assert kinds(sent) == ["BEGIN", "chat_record", "COMMIT"]


async def test_a_unit_of_work_that_is_left_is_its_verbs_and_two_more(stage: Stage) -> None:
    for scene in stage.scenes:
        async with stage.ledger.counted() as sent, scene.world.unit() as uow:
            await uow.rooms.find_by_id(scene.hall)
        assert kinds(sent) == ["BEGIN", "chat_find_room", "ROLLBACK"]


async def test_a_unit_of_work_that_says_nothing_sends_nothing(stage: Stage) -> None:
    world = stage.scenes[0].world
    async with stage.ledger.counted() as sent:
        async with world.unit() as uow:
            await uow.commit()
        async with world.unit():
            pass
    assert sent == []


async def test_months_that_are_there_are_one_statement(stage: Stage) -> None:
    months = stage.scenes[0].world.harness.store.months
    for last in (START, START + timedelta(days=31)):
        async with stage.ledger.counted() as sent:
            assert await months.ensure(START.date(), last.date()) == 0
        assert kinds(sent) == ["chat_missing_months"]


def test_every_verb_has_a_row() -> None:
    areas = [importlib.import_module(f"app.domain.{area}") for area in AREAS]
    ports = [
        thing
        for area in areas
        for thing in vars(area).values()
        if inspect.isclass(thing) and thing.__module__ == area.__name__ and getattr(thing, "_is_protocol", False)
    ]
    verbs = {f"{port.__name__}.{verb}" for port in ports for verb in vars(port) if not verb.startswith("_")}
    assert verbs == {verb.port for verb in (*READS, *HOT_WRITES, *UNIT_WRITES)} | set(NOT_HERE)
