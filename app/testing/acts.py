"""What the state machine can do: every verb of the ports, made to be done alike on two stores."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from app.domain.errors import ChatError
from app.domain.events import Change, RoomEvent
from app.domain.identity import Account, AccountStatus, OnlineStatus, Tenant, UserStatus
from app.domain.ids import RoomId, TenantId, UserId
from app.domain.imports import ImportedMessage, Taken
from app.domain.messaging import Draft, Message, MessageType, Sent, Thread
from app.domain.pages import Page
from app.domain.reading import ReadMark, counts_as_unread
from app.domain.rooms import Room, RoomNotFound, RoomStatus
from app.domain.rooms.members import Membership, MembershipStatus, NotifyLevel, Occupancy, Role, seated
from app.domain.unit_of_work import Once, Reader, UnitOfWork

from .sides import Act, Side

# ── what they are about ───────────────────────────────────────────────────────────────────────────────────────────

DRAFTS = st.fixed_dictionaries(
    {"content": st.sampled_from(["one", "two"]), "client_key": st.sampled_from(["key 0", "key 1"])},
    optional={
        "message_type": st.sampled_from([MessageType.IMAGE, MessageType.SYSTEM, MessageType.ROBOT, MessageType.ROBOT]),
        "is_robot_visible_to_guests": st.booleans(),
        "metadata": st.sampled_from([{}, {"a": [1, 2.5, None]}]),
        "thread_id": st.just("a message seen"),
        "reply_to_message_id": st.just("a message seen"),
    },
)
ROOM_FIELDS = st.fixed_dictionaries(
    {"name": st.sampled_from(["Lounge", "lounge", "Room", "Kitchen"])},
    optional={
        "external_id": st.sampled_from(["x0", "x1"]),
        "is_private": st.booleans(),
        "max_participants": st.sampled_from([1, 3, None]),
    },
)
ROOM_CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["Lounge", "Garden"]),
        "status": st.sampled_from([RoomStatus.ACTIVE, RoomStatus.ACTIVE, RoomStatus.ARCHIVED, RoomStatus.CLOSED]),
        "is_private": st.booleans(),
        "deleted_at": st.sampled_from([None] * 7 + ["now"]),
    },
)
MEMBERSHIP_CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(Role),
        "status": st.sampled_from([*MembershipStatus, MembershipStatus.ACTIVE]),
        "can_send_messages": st.booleans(),
        "can_see_history": st.booleans(),
        "notify_level": st.sampled_from(NotifyLevel),
    },
)
ACCOUNT_CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "username": st.sampled_from(["Name 0", "name 1", "name 10", "NAME 2"]),
        "display_name": st.sampled_from(["Ann", None]),
        "account_status": st.sampled_from([AccountStatus.ACTIVE, AccountStatus.ACTIVE, AccountStatus.SUSPENDED]),
    },
)
CONTENTS = st.sampled_from(["edited", "edited again", "edited", "longer " * 9, "", "\x00"])
STATUSES = st.sampled_from(OnlineStatus)


@dataclass(frozen=True)
class Aim:
    """What a look is directed at; each look takes from it what it needs."""

    room_id: RoomId
    back: int
    user_id: UserId
    limit: int
    side: str
    slug: str


# ── writes ────────────────────────────────────────────────────────────────────────────────────────────────────────


def send(room_id: RoomId, fields: dict[str, Any], back: int) -> Act:
    async def act(side: Side, verbs: Once) -> Sent:
        given: dict[str, Any] = {
            name: side.message(back) if value == "a message seen" else value for name, value in fields.items()
        }
        return await verbs.messages.send(room_id, Draft(**given))

    return act


def edit(room_id: RoomId, back: int, content: str, version: int | None) -> Act:
    async def act(side: Side, verbs: Once) -> Message:
        return await verbs.messages.edit(room_id, side.message(back), content, expected_version=version)

    return act


def delete(room_id: RoomId, back: int) -> Act:
    async def act(side: Side, verbs: Once) -> Message:
        return await verbs.messages.delete(room_id, side.message(back))

    return act


def mark(verb: str, room_id: RoomId, back: int) -> Act:
    async def act(side: Side, verbs: Once) -> ReadMark:
        reading = verbs.reading
        moved = reading.mark_read if verb == "mark_read" else reading.mark_unread
        return await moved(room_id, side.message(back))

    return act


async def mark_all_read(side: Side, verbs: Once) -> tuple[ReadMark, ...]:
    return await verbs.reading.mark_all_read()


def take_in(room_id: RoomId, messages: tuple[ImportedMessage, ...]) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> Taken:
        return await uow.imports.take_in(room_id, messages)

    return act


def create_room(room: Room, memberships: tuple[Membership, ...]) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> None:
        await uow.rooms.create(room, memberships)

    return act


def open_direct(room: Room, memberships: tuple[Membership, ...]) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> tuple[Room, bool]:
        return await uow.rooms.open_direct(room, memberships)

    return act


def read_room(room_id: RoomId) -> Act:
    async def act(side: Side, verbs: Reader) -> Room | None:
        found = await verbs.rooms.find_by_id(room_id)
        side.kept[str(room_id)] = found
        return found

    return act


def save_room(room_id: RoomId, changes: dict[str, Any]) -> Act:
    """Saves the room as it was remembered, so perhaps too late, or else as it is."""

    async def act(side: Side, uow: UnitOfWork) -> Room:
        room = side.kept.get(str(room_id)) or await uow.rooms.find_by_id(room_id)
        if room is None:
            raise RoomNotFound
        fields = dict(changes)
        if fields.get("deleted_at"):
            fields["deleted_at"] = uow.now
        return await uow.rooms.save(room.changed(**fields))

    return act


def hold(room_id: RoomId, subject: UserId) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> Occupancy:
        return await uow.rooms.hold(room_id, subject)

    return act


def join(room_id: RoomId, subject: UserId, can_see_history: bool) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> None:
        held = await uow.rooms.hold(room_id, subject)
        await uow.rooms.take_seat(seated(held, subject, uow.now, can_see_history=can_see_history))

    return act


def save_membership(room_id: RoomId, subject: UserId, changes: dict[str, Any]) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> Occupancy:
        held = await uow.rooms.hold(room_id, subject)
        if held.subject is not None:
            await uow.rooms.save_membership(held.subject.changed(**changes))
        return await uow.rooms.hold(room_id, subject)

    return act


def record(change: Change) -> Act:
    """Records a change of a room the unit can see: what a service does."""

    async def act(side: Side, uow: UnitOfWork) -> bool:
        if await uow.rooms.find_by_id(change.room_id) is None:
            return False
        uow.record(change)
        return True

    return act


def create_user(account: Account) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> None:
        await uow.users.create(account)

    return act


def save_user(user_id: UserId, changes: dict[str, Any]) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> Account:
        return await uow.users.save((await uow.users.hold(user_id)).changed(**changes))

    return act


def update_online_status(status: OnlineStatus) -> Act:
    async def act(side: Side, verbs: Once) -> UserStatus:
        return await verbs.users.update_online_status(status)

    return act


def create_tenant(tenant: Tenant) -> Act:
    async def act(side: Side, uow: UnitOfWork) -> None:
        await uow.tenants.create(tenant)

    return act


# ── looks ─────────────────────────────────────────────────────────────────────────────────────────────────────────

Look = Callable[[Side, Reader, Aim], Awaitable[Any]]


async def _history(side: Side, reader: Reader, aim: Aim, **options: Any) -> Page[Message]:
    name = f"history of {aim.room_id}"
    where: dict[str, Any] = {aim.side: side.cursor(name, aim.side)} if aim.side else {}
    page = await reader.messages.find_by_room(aim.room_id, limit=aim.limit, **where, **options)
    side.keep(name, page)
    return page


async def _around(side: Side, reader: Reader, aim: Aim) -> Page[Message]:
    page = await reader.messages.find_around(aim.room_id, side.message(aim.back), limit=aim.limit)
    side.keep(f"history of {aim.room_id}", page)
    return page


async def _thread(side: Side, reader: Reader, aim: Aim) -> Thread:
    return await reader.messages.find_thread(aim.room_id, side.message(aim.back), limit=aim.limit)


async def _members(side: Side, reader: Reader, aim: Aim) -> Page[Any]:
    name = f"members of {aim.room_id}"
    page = await reader.rooms.members(aim.room_id, side.cursor(name, aim.side), aim.limit)
    side.keep(name, page)
    return page


async def _browse(side: Side, reader: Reader, aim: Aim) -> Page[Room]:
    page = await reader.rooms.browse("lo", side.cursor("browse", aim.side), aim.limit)
    side.keep("browse", page)
    return page


LOOKS: dict[str, Look] = {
    "find_by_room": _history,
    "find_by_room, deleted too": lambda s, r, a: _history(s, r, a, include_deleted=True),
    "find_by_room, some types": lambda s, r, a: _history(s, r, a, types=(MessageType.SYSTEM, MessageType.ROBOT)),
    "find_around": _around,
    "find_thread": _thread,
    "find": lambda s, r, a: r.messages.find(a.room_id, s.message(a.back)),
    "find, deleted too": lambda s, r, a: r.messages.find(a.room_id, s.message(a.back), include_deleted=True),
    "get_user_rooms": lambda s, r, a: r.reading.get_user_rooms(),
    "unread": lambda s, r, a: r.reading.unread(),
    "recount": lambda s, r, a: r.reading.recount(),
    "readers": lambda s, r, a: r.reading.readers(a.room_id, s.message(a.back)),
    "room": lambda s, r, a: r.rooms.find_by_id(a.room_id),
    "room by external id": lambda s, r, a: r.rooms.find_by_external_id(f"x{a.limit}"),
    "seat": lambda s, r, a: r.rooms.seat(a.room_id),
    "members": _members,
    "browse": _browse,
    "find_by_id": lambda s, r, a: r.users.find_by_id(a.user_id),
    "find_by_email": lambda s, r, a: r.users.find_by_email(f"N{a.limit}@example.org"),
    "find_by_username": lambda s, r, a: r.users.find_by_username(f"name  {a.limit}"),
    "find_by_external_id": lambda s, r, a: r.users.find_by_external_id(f"x{a.limit}"),
    "profile": lambda s, r, a: r.users.profile(a.user_id),
    "settings": lambda s, r, a: r.users.settings(a.user_id),
    "find_by_slug": lambda s, r, a: r.tenants.find_by_slug(f"{a.slug}-{a.limit}"),
}


def looking(name: str, aim: Aim) -> Act:
    async def act(side: Side, reader: Reader) -> Any:
        return await LOOKS[name](side, reader, aim)

    return act


# ── proofs ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def unread_is_exact(side: Side, reader: Reader) -> None:
    """The fast count, the recount and the domain's sentence agree in every room of the reader."""
    counted = await reading_counts(reader)
    for summary in await reader.reading.get_user_rooms():
        page = await reader.messages.find_by_room(summary.room.id, limit=200)
        assert page.older is None, "a history longer than a page: make the machine's shorter"
        exact = sum(counts_as_unread(message, summary.membership) for message in page.items)
        assert counted[summary.room.id] == summary.unread == exact


async def reading_counts(reader: Reader) -> dict[RoomId, int]:
    counted = await reader.reading.unread()
    assert counted == await reader.reading.recount()
    return {unread.room_id: unread.count for unread in counted}


def everything_of(room_id: RoomId, tenant_id: TenantId) -> Act:
    """A room with its memberships and its log; of one that was deleted, its log."""

    async def act(side: Side, uow: UnitOfWork) -> tuple[Any, tuple[RoomEvent, ...], tuple[RoomEvent, ...]]:
        events = await side.harness.room_events(tenant_id, room_id)
        announced = tuple(e for batch in side.harness.announced for e in batch if e.room_id == room_id)
        assert announced == events
        assert [e.revision for e in events] == list(range(1, len(events) + 1))
        room = await uow.rooms.find_by_id(room_id)
        members = (await uow.rooms.members(room_id, None, 200)).items if room else ()
        return (room, members), events, announced

    return act


def room_is_sound(room_id: RoomId, limit: int) -> Act:
    """The whole history, its positions and ids held to their order."""

    async def act(side: Side, reader: Reader) -> tuple[Message, ...]:
        page = await reader.messages.find_by_room(room_id, limit=limit, include_deleted=True)
        room = await reader.rooms.find_by_id(room_id)
        assert room is not None
        assert [m.position for m in page.items] == list(range(1, room.last_position + 1))
        assert [m.id for m in page.items] == sorted(m.id for m in page.items)
        assert room.last_message_id == (page.items[-1].id if page.items else None)
        return page.items

    return act


def seen_by(room_id: RoomId) -> Act:
    """A room as one member sees it: page by page from either end, around each message, and who has read it."""

    async def act(side: Side, reader: Reader) -> list[Any]:
        page = await reader.messages.find_by_room(room_id, limit=2)
        seen = [page]
        while page.older is not None and len(seen) < 6:
            page = await reader.messages.find_by_room(room_id, before=page.older, limit=2)
            seen.append(page)
        if page.newer is not None:
            seen.append(await reader.messages.find_by_room(room_id, after=page.newer, limit=3))
        found: list[Any] = [*seen]
        for message in seen[0].items:
            found.append(await reader.messages.find_around(room_id, message.id, limit=3))
            try:
                found.append(await reader.reading.readers(room_id, message.id))
            except ChatError as error:
                found.append(error.code)
        return found

    return act
