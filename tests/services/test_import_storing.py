"""Storing an export: every line accounted for, nothing twice, and a kill leaves nothing half done."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.actors import Actor
from app.domain.errors import Contended, Invalid
from app.domain.events import EventKind
from app.domain.identity import AccountStatus, AccountType, Registration
from app.domain.ids import DEFAULT_TENANT, UserId, moment_of
from app.domain.imports import ImportedMessage, Taken
from app.domain.messaging import Draft, Message, MessageType
from app.domain.rooms import Room
from app.domain.rooms.members import MembershipStatus, Role
from app.infrastructure.local.bus import InProcessBus
from app.infrastructure.local.ids import TimeOrderedIds
from app.infrastructure.local.passwords import ThreadedPasswords
from app.infrastructure.memory.imports import MemoryImports
from app.infrastructure.memory.store import MemoryStore
from app.services.identity import IdentityService
from app.services.imports.importer import ImportService
from app.services.imports.lines import LineFile
from app.services.imports.records import Refusal, Report, SourceBroken
from app.services.imports.zulip import ZulipJsonl
from app.services.members import MemberService
from app.services.messaging import MessagingService
from app.services.reading import ReadingService
from app.services.rooms import RoomService

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SYSTEM = Actor.system()
pytestmark = pytest.mark.spec("3.13")


class App:
    """The services on a memory store of their own."""

    def __init__(self) -> None:
        ids, bus = TimeOrderedIds(), InProcessBus()
        self.store = MemoryStore(clock=lambda: NOW, ids=ids, announcer=bus)
        self.imports = ImportService(self.store, ids, lambda: NOW)
        self.identity = IdentityService(self.store, ids, ThreadedPasswords(rounds=10))
        self.rooms = RoomService(self.store, ids)
        self.members = MemberService(self.store)
        self.messages = MessagingService(self.store)
        self.reading = ReadingService(self.store)

    async def take_in(self, *lines: dict[str, Any] | bytes, batch_lines: int = 1000, **told: Any) -> Report:
        with LineFile.of(written(*lines)) as file:
            return await self.imports.run(SYSTEM, ZulipJsonl(file, "main"), batch_lines=batch_lines, **told)

    async def room(self, number: int = 7) -> Room:
        room = await self.store.reader(SYSTEM).rooms.find_by_external_id(f"zulip:main:{number}")
        assert room is not None
        return room

    async def user(self, name: str) -> UserId:
        user = await self.store.reader(SYSTEM).users.find_by_external_id(f"zulip:main:author:{name}")
        assert user is not None
        return user.id

    async def history(self, number: int = 7) -> tuple[Message, ...]:
        room, found = await self.room(number), list[Message]()
        page = await self.messages.history(SYSTEM, room.id, limit=200)
        found[:0] = page.items
        while page.older:
            page = await self.messages.history(SYSTEM, room.id, before=page.older, limit=200)
            found[:0] = page.items
        return tuple(found)


@pytest.fixture
def chat() -> App:
    return App()


def line(number: int, **changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": number,
        "room": "kitchen",
        "room_id": 7,
        "thread": "bread",
        "author": "Ada",
        "ts": (datetime(2025, 3, 4, tzinfo=UTC) + timedelta(minutes=number)).isoformat(),
        "text": f"<p>number {number}</p>",
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not ...}


def written(*lines: dict[str, Any] | bytes) -> bytes:
    return b"".join((x if isinstance(x, bytes) else json.dumps(x).encode()) + b"\n" for x in lines)


def talk(length: int = 60) -> list[dict[str, Any]]:
    """Three rooms, five authors, threads and replies."""
    return [
        line(
            n,
            room=f"room {n % 3}",
            room_id=n % 3,
            thread=f"topic {n % 7 % 2}",
            author=f"Author {n * n % 5}",
            **({"reply_to": n - 3} if n % 4 == 0 and n > 3 else {}),
        )
        for n in range(1, length + 1)
    ]


async def everything(chat: App, rooms: int = 3) -> list[Any]:
    """All that an import makes, without the ids drawn for rooms and accounts."""
    found: list[Any] = []
    for number in range(rooms):
        room = await chat.room(number)
        members = await chat.members.find_by_room(SYSTEM, room.id, limit=200)
        names = {member.user.id: member.user.display_name for member in members.items}
        found.append((room.name, room.last_position, room.last_message_id, room.created_at, room.revision))
        for member in members.items:
            seat = member.membership
            marks = (seat.last_read_position, seat.last_read_message_id, seat.joined_at, seat.role)
            found.append((member.user.username, member.user.display_name, *marks))
        for message in await chat.history(number):
            assert message.user_id is not None
            found.append((names[message.user_id], message.model_dump(exclude={"room_id", "user_id"})))
    return sorted(found, key=repr)


# ── what is made of it ────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_conversation_arrives_with_its_order_threads_and_replies(chat: App) -> None:
    report = await chat.take_in(
        line(1, text="<p>hello</p>"),
        line(2, author="Bo", reply_to=1),
        line(3, thread="cake"),
        line(4, author="Bo", room="garden", room_id=8, reply_to=2),
    )
    assert (report.lines, report.stored, report.rooms_created, report.accounts_created) == (4, 4, 2, 2)
    room, (first, second, third) = await chat.room(), await chat.history()
    assert (room.name, room.max_participants, room.is_private, room.last_position) == ("kitchen", None, False, 3)
    assert room.created_at == first.created_at
    assert [m.position for m in (first, second, third)] == [1, 2, 3]
    assert [m.created_at for m in (first, second, third)] == [moment_of(m.id) for m in (first, second, third)]
    assert (first.content, first.metadata["format"], first.metadata["plain"]) == ("<p>hello</p>", "html", "hello")
    assert (first.thread_id, second.thread_id, third.thread_id) == (None, first.id, None)
    assert (second.reply_to_message_id, third.metadata["topic"]) == (first.id, "cake")
    assert all(m.message_type is MessageType.TEXT for m in (first, second, third))
    (elsewhere,) = await chat.history(8)
    assert elsewhere.reply_to_message_id is None, "the message quoted is in another room"
    assert elsewhere.metadata["source"]["reply_to"] == 2


async def test_authors_become_accounts_nobody_can_log_in_to_and_members_who_have_read_their_own(chat: App) -> None:
    await chat.take_in(line(1), line(2, author="Bo"), line(3, author="GitHub"), line(4))
    room = await chat.room()
    members = {m.user.display_name: m for m in (await chat.members.find_by_room(SYSTEM, room.id)).items}
    assert set(members) == {"Ada", "Bo", "GitHub"}
    ada = members["Ada"]
    assert (ada.user.username, ada.user.email, ada.user.account_type) == ("Ada", None, AccountType.MEMBER)
    assert ada.user.account_status is AccountStatus.ACTIVE
    assert members["GitHub"].user.account_type is AccountType.ROBOT
    seats = {name: member.membership for name, member in members.items()}
    assert {name: seat.last_read_position for name, seat in seats.items()} == {"Ada": 4, "Bo": 2, "GitHub": 3}
    assert seats["Bo"].joined_at == (await chat.history())[1].created_at
    assert {seat.role for seat in seats.values()} == {Role.MEMBER}
    bo = Actor(user_id=await chat.user("Bo"))
    assert [unread.count for unread in await chat.reading.unread(bo)] == [2]
    assert await chat.reading.unread(bo) == await chat.reading.recount(bo)


async def test_an_imported_author_goes_on_writing(chat: App) -> None:
    await chat.take_in(line(1), line(2, author="Bo"))
    room, root = await chat.room(), (await chat.history())[0]
    ada = Actor(user_id=await chat.user("Ada"))
    sent = await chat.messages.send(ada, room.id, Draft(content="still here", thread_id=root.id))
    assert (sent.message.position, sent.message.thread_id) == (3, root.id)
    thread = await chat.messages.thread(ada, room.id, root.id)
    assert [m.position for m in thread.replies.items] == [2, 3]


async def test_names_that_fold_to_one_key_get_usernames_of_their_own(chat: App) -> None:
    taken = await chat.identity.register(
        SYSTEM, Registration(username="ADA", account_type=AccountType.GUEST, display_name="Someone else")
    )
    names = ["Ada", "ada", "Ａda", "A" * 60, "A" * 61, "\u200b" * 50 + "x"]
    await chat.take_in(*(line(n, author=name) for n, name in enumerate(names, 1)))
    room = await chat.room()
    users = [m.user for m in (await chat.members.find_by_room(SYSTEM, room.id)).items]
    assert {user.display_name for user in users} == set(names)
    by_name = {user.display_name: user.username for user in users}
    assert [by_name[name] for name in names] == [
        "Ada-2", "ada-3", "Ａda-4", "A" * 50, "A" * 48 + "-2", "member",
    ]  # fmt: skip
    assert taken.id not in {user.id for user in users}


async def test_hundreds_of_namesakes_all_get_a_name(chat: App) -> None:
    names = ["Ada" + "\u200b" * n for n in range(200)]
    report = await chat.take_in(*(line(n + 1, author=name) for n, name in enumerate(names)))
    assert (report.stored, report.accounts_created) == (200, 200)


async def test_rooms_and_messages_are_told_to_the_log_without_a_gap(chat: App) -> None:
    await chat.take_in(*talk(20), batch_lines=3)
    room = await chat.room(1)
    events = chat.store.room_events(DEFAULT_TENANT, room.id)
    kinds = Counter(event.kind for event in events)
    people = (await chat.store.reader(Actor.system()).rooms.members(room.id, None, 200)).items
    assert kinds == {
        EventKind.ROOM_CREATED: 1,
        EventKind.MEMBER_JOINED: len(people),
        EventKind.MESSAGE_SENT: room.last_position,
    }
    assert {event.user_id for event in events if event.kind is EventKind.MEMBER_JOINED} == {p.user.id for p in people}
    assert [event.revision for event in events] == list(range(1, room.revision + 1))


# ── the report ────────────────────────────────────────────────────────────────────────────────────────────────────


@given(
    st.lists(
        st.one_of(
            st.sampled_from([b"", b"{", b"[]", b"\xff", b'{"id":' + b"7" * 5000 + b"}"]),
            st.builds(line, st.integers(1, 12), author=st.sampled_from(["Ada", "Bo", "", 5])),
            st.builds(line, st.integers(1, 12), text=st.sampled_from(["<p>x</p>", "", "\x00", "\ud83d"])),
            st.builds(line, st.integers(1, 12), ts=st.sampled_from(["2024-02-30", "2024-02-29T10:00:00Z"])),
        ),
        max_size=25,
    ),
    st.integers(1, 6),
)
async def test_lines_read_are_lines_stored_repeated_or_refused(lines: list[Any], batch_lines: int) -> None:
    chat, refusals, reports = App(), list[Refusal](), list[Report]()
    report = await chat.take_in(*lines, batch_lines=batch_lines, progress=reports.append, refused=refusals.append)
    assert report.lines == len(lines)
    assert report.lines == report.stored + report.updated + report.repeated + report.refused
    assert report.refused == len(refusals)
    assert report.first_refusals == tuple(refusals[:20])
    assert [r.line for r in refusals] == sorted({r.line for r in refusals})
    assert all(r.lines == r.stored + r.updated + r.repeated + r.refused for r in reports)
    assert reports[-1:] == ([report] if lines else [])
    if report.stored:
        assert [m.position for m in await chat.history()] == list(range(1, report.stored + 1))
    again = await chat.take_in(*lines, batch_lines=batch_lines)
    assert (again.stored, again.refused, again.rooms_created, again.accounts_created) == (0, report.refused, 0, 0)


async def test_a_line_given_twice_is_stored_once_as_it_was_told_last(chat: App) -> None:
    report = await chat.take_in(line(1), line(1), line(2), line(1, text="<p>another</p>"), batch_lines=3)
    assert (report.stored, report.updated, report.repeated) == (2, 1, 1)
    assert [m.content for m in await chat.history()] == ["<p>another</p>", "<p>number 2</p>"]


async def test_what_is_readable_of_a_broken_file_is_kept_and_told(chat: App) -> None:
    lines = [line(n, text=f"<p>{n * 7919}</p>") for n in range(1, 4000)]
    whole = gzip.compress(written(*lines), mtime=0)
    with LineFile.of(whole[: len(whole) // 2]) as file, pytest.raises(SourceBroken) as error:
        await chat.imports.run(SYSTEM, ZulipJsonl(file, "main"))
    report = error.value.report
    assert report is not None
    assert 0 < report.stored == report.lines == len(await chat.history()) < len(lines)
    assert error.value.code == "import_source_broken"


async def test_only_the_application_imports(chat: App) -> None:
    await chat.take_in(line(1))
    with LineFile.of(written(line(2))) as file, pytest.raises(Invalid, match="actor"):
        await chat.imports.run(Actor(user_id=await chat.user("Ada")), ZulipJsonl(file, "main"))


# ── again, and after a kill ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_second_import_adds_nothing(chat: App) -> None:
    await chat.take_in(*talk())
    before = await everything(chat)
    report = await chat.take_in(*talk(), batch_lines=7)
    assert (report.lines, report.stored, report.repeated) == (60, 0, 60)
    assert (report.rooms_created, report.accounts_created) == (0, 0)
    assert await everything(chat) == before


async def test_a_longer_export_adds_only_what_is_new(chat: App) -> None:
    await chat.take_in(*talk(40))
    report = await chat.take_in(*talk(60))
    assert (report.stored, report.repeated) == (20, 40)
    once = App()
    await once.take_in(*talk(60))
    assert await everything(chat) == await everything(once)


class Killed(BaseException):
    """Nothing handles it, as nothing handles SIGKILL."""


@pytest.mark.parametrize("survived", [0, 1, 4, 13])
@pytest.mark.parametrize("where", ["before the statement", "after the statement"])
async def test_killed_in_the_middle_of_a_batch_and_started_again_it_ends_the_same(
    monkeypatch: pytest.MonkeyPatch, survived: int, where: str
) -> None:
    chat, calls, real = App(), 0, MemoryImports.take_in

    async def take_in(self: MemoryImports, room_id: Any, messages: tuple[ImportedMessage, ...]) -> Taken:
        nonlocal calls
        calls += 1
        if calls > survived and where == "before the statement":
            raise Killed
        taken = await real(self, room_id, messages)
        if calls > survived:
            raise Killed
        return taken

    monkeypatch.setattr(MemoryImports, "take_in", take_in)
    with pytest.raises(Killed):
        await chat.take_in(*talk(), batch_lines=8)
    monkeypatch.undo()
    report = await chat.take_in(*talk(), batch_lines=8)
    assert report.stored + report.repeated == 60
    once = App()
    await once.take_in(*talk(), batch_lines=8)
    assert await everything(chat) == await everything(once)


async def test_a_cancelled_import_leaves_whole_batches(chat: App) -> None:
    stored = asyncio.Event()
    task = asyncio.create_task(chat.take_in(*talk(), batch_lines=6, progress=lambda _: stored.set()))
    await stored.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    report = await chat.take_in(*talk(), batch_lines=6)
    assert report.repeated % 6 == 0
    assert 6 <= report.repeated < 60
    assert report.stored == 60 - report.repeated


async def test_a_batch_that_had_to_wait_too_long_is_tried_again(chat: App, monkeypatch: pytest.MonkeyPatch) -> None:
    real, failures = MemoryImports.take_in, iter([True, True, False, True])

    async def take_in(self: MemoryImports, room_id: Any, messages: tuple[ImportedMessage, ...]) -> Taken:
        taken = await real(self, room_id, messages)
        if next(failures, False):
            raise Contended
        return taken

    monkeypatch.setattr(MemoryImports, "take_in", take_in)
    report = await chat.take_in(*talk(), batch_lines=30)
    assert (report.stored, report.repeated) == (60, 0), "a batch undone and repeated counts once"
    assert (report.rooms_created, report.accounts_created) == (3, len({x["author"] for x in talk()}))


async def test_two_imports_at_once_store_everything_once(chat: App) -> None:
    reports = await asyncio.gather(*(chat.take_in(*talk(), batch_lines=5) for _ in range(3)))
    assert sum(report.stored for report in reports) == 60
    assert all(report.lines == report.stored + report.repeated == 60 for report in reports)
    assert [m.position for m in await chat.history(1)] == list(range(1, 21))


async def test_an_older_line_keeps_its_time_and_is_numbered_on(chat: App) -> None:
    await chat.take_in(line(10), line(20))
    room, ada = await chat.room(), Actor(user_id=await chat.user("Ada"))
    live = (await chat.messages.send(ada, room.id, Draft(content="written here"))).message
    await chat.take_in(line(5, author="Bo"), line(10), line(15), line(20), line(30))
    found = await chat.history()
    assert [m.metadata.get("source", {}).get("id") for m in found] == [10, 20, None, 5, 15, 30]
    assert [m.position for m in found] == [1, 2, 3, 4, 5, 6]
    assert [m.id for m in found] == sorted(m.id for m in found)
    assert min(m.id for m in found[3:]) > live.id
    late = found[3]
    assert late.created_at == datetime(2025, 3, 4, 0, 5, tzinfo=UTC)
    bo = Actor(user_id=await chat.user("Bo"))
    assert [unread.count for unread in await chat.reading.unread(bo)] == [2]


async def test_who_left_stays_out_though_their_messages_come_in(chat: App) -> None:
    await chat.take_in(line(1), line(2, author="Bo"))
    room, bo = await chat.room(), Actor(user_id=await chat.user("Bo"))
    await chat.members.leave(bo, room.id)
    report = await chat.take_in(line(3, author="Bo"))
    assert report.stored == 1
    async with chat.store.unit_of_work(SYSTEM) as uow:
        seat = (await uow.rooms.hold(room.id, bo.user_id or UserId(UUID(int=0)))).subject
    assert seat is not None
    assert seat.status is MembershipStatus.LEFT
