"""A tenant of its own with people and rooms, made through the store under test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self, TypeVar

from app.domain.actors import Actor
from app.domain.errors import Conflict, Forbidden, Invalid, Limited, NotFound
from app.domain.events import RoomEvent
from app.domain.files import File
from app.domain.files.blobs import blob_key
from app.domain.identity import Account, Tenant, UserNotFound
from app.domain.ids import FileId, MessageId, RoomId, UserId
from app.domain.mentions import Mentioned
from app.domain.messaging import Message
from app.domain.pages import MAX_LIMIT
from app.domain.pins import PinnedMessage
from app.domain.reactions import MessageReactions
from app.domain.reading import Unread, counts_as_mention, counts_as_unread
from app.domain.rooms import Room
from app.domain.rooms.members import Membership, MembershipStatus, Role, seated
from app.domain.threads import ThreadSummary, counts_as_unread_reply, summary_of
from app.domain.unit_of_work import Once, Reader, UnitOfWork

from . import builders
from .harness import Harness

T = TypeVar("T")

REFUSALS = (Invalid, NotFound, Conflict, Forbidden, Limited)
"""The kinds of error that have written nothing and leave a unit usable."""


class Form(StrEnum):
    """The two ways to the hot verbs."""

    ONCE = "once"
    UNIT = "unit"


@dataclass(frozen=True)
class Snapshot:
    """All a store knows of a room: two of them are equal when nothing was written in between."""

    room: Room | None
    messages: tuple[Message, ...]
    memberships: tuple[Membership | None, ...]
    events: tuple[RoomEvent, ...]
    announced: tuple[RoomEvent, ...]
    reactions: tuple[MessageReactions, ...] = ()
    pins: tuple[PinnedMessage, ...] = ()
    mentions: tuple[Mentioned, ...] = ()


class World:
    """Where one test takes place: its own tenant, so that others may use the same database."""

    def __init__(self, harness: Harness, tenant: Tenant) -> None:
        self.harness = harness
        self.tenant = tenant
        self.system = Actor.system(tenant.id)
        self.people: list[Actor] = []

    @classmethod
    async def new(cls, harness: Harness) -> Self:
        """A world with a fresh tenant and nobody in it."""
        tenant = builders.tenant()
        async with harness.store.unit_of_work(Actor.system(tenant.id)) as uow:
            await uow.tenants.create(tenant)
            await uow.commit()
        return cls(harness, tenant)

    # ── ways to the store ─────────────────────────────────────────────────────────────────────────────────────────

    def unit(self, actor: Actor | None = None) -> UnitOfWork:
        """A unit of work, of the application unless somebody acts."""
        return self.harness.store.unit_of_work(actor or self.system)

    def once(self, actor: Actor | None = None) -> Once:
        return self.harness.store.once(actor or self.system)

    def reader(self, actor: Actor | None = None) -> Reader:
        return self.harness.store.reader(actor or self.system)

    async def perform(self, form: Form, actor: Actor, act: Callable[[Once], Awaitable[T]]) -> T:
        """One of the hot verbs on its own, or as a unit of its own.

        A unit is used and committed after a refusal too: it has to stand that, and must not have kept anything.
        """
        if form is Form.ONCE:
            return await act(self.once(actor))
        async with self.unit(actor) as uow:
            try:
                result = await act(uow)
            except REFUSALS:
                assert await uow.rooms.find_by_id(RoomId(builders.new_id())) is None
                await uow.commit()
                raise
            await uow.commit()
        return result

    # ── people ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def person(self, **fields: Any) -> Actor:
        """A new user, an active member unless said otherwise, as one who acts."""
        account = builders.account(tenant_id=self.tenant.id, **fields)
        async with self.unit() as uow:
            await uow.users.create(account)
            await uow.commit()
        actor = Actor(user_id=account.id, tenant_id=self.tenant.id)
        self.people.append(actor)
        return actor

    async def persons(self, number: int) -> tuple[Actor, ...]:
        return tuple([await self.person() for _ in range(number)])

    async def change_account(self, actor: Actor, **fields: Any) -> Account:
        async with self.unit() as uow:
            account = await uow.users.save((await uow.users.hold(user_of(actor))).changed(**fields))
            await uow.commit()
        return account

    # ── rooms ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def room(self, *members: Actor, **fields: Any) -> RoomId:
        """A new group room; the first member owns it. Its log is empty: recording is a service's matter."""
        room = builders.room(tenant_id=self.tenant.id, **fields)
        memberships = tuple(
            builders.membership(room.id, user_of(member), self.tenant.id, role=Role.MEMBER if number else Role.OWNER)
            for number, member in enumerate(members)
        )
        async with self.unit() as uow:
            await uow.rooms.create(room, memberships)
            await uow.commit()
        return room.id

    async def join(self, room_id: RoomId, actor: Actor, **fields: Any) -> Membership:
        """Takes a seat, first or again, by the rules of `rooms.seated`; `fields` are set on the new membership."""
        async with self.unit() as uow:
            occupancy = await uow.rooms.hold(room_id, user_of(actor))
            membership = seated(occupancy, user_of(actor), uow.now).changed(**fields)
            await uow.rooms.take_seat(membership)
            await uow.commit()
        return membership

    async def leave(self, room_id: RoomId, actor: Actor, status: MembershipStatus = MembershipStatus.LEFT) -> None:
        await self.change_membership(room_id, actor, status=status, left_at=self.harness.clock())

    async def change_membership(self, room_id: RoomId, actor: Actor, **fields: Any) -> None:
        """Sets what `save_membership` stores: role, status, rights, times."""
        async with self.unit() as uow:
            occupancy = await uow.rooms.hold(room_id, user_of(actor))
            assert occupancy.subject is not None
            await uow.rooms.save_membership(occupancy.subject.changed(**fields))
            await uow.commit()

    async def change_room(self, room_id: RoomId, **fields: Any) -> Room:
        async with self.unit() as uow:
            room = await uow.rooms.save((await uow.rooms.hold(room_id, NOBODY)).room.changed(**fields))
            await uow.commit()
        return room

    async def find_room(self, room_id: RoomId) -> Room:
        room = await self.reader().rooms.find_by_id(room_id)
        assert room is not None
        return room

    async def membership(self, room_id: RoomId, actor: Actor) -> Membership | None:
        """A membership whatever its status; None when there never was one."""
        async with self.unit() as uow:
            return (await uow.rooms.hold(room_id, user_of(actor))).subject

    # ── messages ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def send(self, actor: Actor, room_id: RoomId, content: str = "hello", **fields: Any) -> Message:
        """A message, a second after whatever came before."""
        self.harness.clock.advance()
        return (await self.once(actor).messages.send(room_id, builders.draft(content, **fields))).message

    async def chat(self, room_id: RoomId, actor: Actor, number: int) -> list[Message]:
        """Several messages of one sender."""
        return [await self.send(actor, room_id, f"message {n}") for n in range(number)]

    async def delete(self, actor: Actor, message: Message) -> Message:
        return await self.once(actor).messages.delete(message.room_id, message.id)

    async def history(self, room_id: RoomId, actor: Actor | None = None, **options: Any) -> list[Message]:
        """The whole history as somebody sees it, oldest first."""
        reader = self.reader(actor).messages
        page = await reader.find_by_room(room_id, limit=MAX_LIMIT, **options)
        found = list(page.items)
        while page.older is not None:
            page = await reader.find_by_room(room_id, before=page.older, limit=MAX_LIMIT, **options)
            assert not found or page.items[-1].id < found[0].id, "a page repeats what was read before"
            found = [*page.items, *found]
        return found

    # ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def file(self, actor: Actor, room_id: RoomId, *, is_ready: bool = True, **fields: Any) -> File:
        """A file of somebody's, its bytes said to be stored; nobody has asked a blob store."""
        self.harness.clock.advance()
        file = await self.once(actor).files.begin(room_id, builders.new_file(**fields), builders.LIFETIME)
        if is_ready:
            key = blob_key(self.tenant.id, builders.new_id())
            file = await self.once(actor).files.finish(file.id, key, builders.CHECKSUM)
        return file

    # ── proofs ────────────────────────────────────────────────────────────────────────────────────────────────────

    def announced(self, room_id: RoomId) -> tuple[RoomEvent, ...]:
        """What was announced of a room, in order."""
        return tuple(e for batch in self.harness.announced for e in batch if e.room_id == room_id)

    async def events(self, room_id: RoomId) -> tuple[RoomEvent, ...]:
        """The log of a room."""
        return await self.harness.room_events(self.tenant.id, room_id)

    async def snapshot(self, room_id: RoomId) -> Snapshot:
        """All there is to know of a room; of a deleted one, only its log."""
        events, announced = await self.events(room_id), self.announced(room_id)
        room = await self.reader().rooms.find_by_id(room_id)
        if room is None:
            return Snapshot(None, (), (), events, announced)
        messages = tuple(await self.history(room_id, include_deleted=True))
        memberships = tuple([await self.membership(room_id, person) for person in self.people])
        ids = [m.id for m in messages[-MAX_LIMIT:]]
        reactions = await self.reader().reactions.find_by_messages(room_id, ids)
        mentions = await self.reader().mentions.find_by_messages(room_id, ids)
        pins = (await self.reader().pins.find_by_room(room_id, limit=MAX_LIMIT)).items
        return Snapshot(room, messages, memberships, events, announced, reactions, pins, mentions)

    async def prove(self, room_id: RoomId) -> None:
        """What holds of every room after any history: no gap in positions or revisions, ids rise, unread is exact."""
        room = await self.find_room(room_id)
        messages = await self.history(room_id, include_deleted=True)
        assert [m.position for m in messages] == list(range(1, room.last_position + 1))
        assert [m.id for m in messages] == sorted({m.id for m in messages})
        assert room.last_message_id == (messages[-1].id if messages else None)
        events = await self.events(room_id)
        assert [e.revision for e in events] == list(range(1, room.revision + 1))
        # Racing writers may learn of their commits the other way round.
        assert sorted(self.announced(room_id), key=lambda e: e.revision) == list(events)
        for person in self.people:
            await self.prove_unread(person)
            await self.prove_threads_unread(person)
        await self.prove_summaries(room_id, messages)

    async def prove_summaries(self, room_id: RoomId, messages: list[Message]) -> dict[MessageId, ThreadSummary]:
        """Kept, recounted and by the domain's sentence, the room's threads come to the same; returns them."""
        roots = [m.id for m in messages if m.thread_id is None][:MAX_LIMIT]
        threads = self.reader().threads
        found = await threads.summaries(room_id, roots)
        assert found == await threads.recount_summaries(room_id, roots)
        wanted = (summary_of(room_id, root, [m for m in messages if m.thread_id == root]) for root in roots)
        assert list(found) == [summary for summary in wanted if summary is not None]
        return {summary.thread_id: summary for summary in found}

    async def prove_threads_unread(self, person: Actor) -> dict[MessageId, int]:
        """The fast count, the recount and the domain's sentence agree on followed threads; returns them."""
        threads = self.reader(person).threads
        found = await threads.unread()
        assert found == await threads.recount()
        assert [(u.room_id, u.thread_id) for u in found] == sorted((u.room_id, u.thread_id) for u in found)
        for unread in found:
            membership = await self.membership(unread.room_id, person)
            assert membership is not None
            assert membership.is_seated
            follow = builders.thread_follow(unread, user_of(person))
            messages = await self.history(unread.room_id, include_deleted=True)
            replies = [m for m in messages if m.thread_id == unread.thread_id]
            assert unread.count == sum(counts_as_unread_reply(m, follow, membership) for m in replies)
        return {unread.thread_id: unread.count for unread in found}

    async def prove_unread(self, person: Actor) -> dict[RoomId, int]:
        """The fast count, the recount, the room list and the domain's sentence agree; returns them."""
        reading = self.reader(person).reading
        counted = await reading.unread()
        assert counted == await reading.recount()
        assert [u.room_id for u in counted] == sorted(u.room_id for u in counted)
        summaries = {s.room.id: s for s in await reading.get_user_rooms()}
        assert counted == tuple(Unread(i, s.unread, s.mentions) for i, s in sorted(summaries.items()))
        for unread in counted:
            membership = summaries[unread.room_id].membership
            messages = await self.history(unread.room_id, include_deleted=True)
            assert unread.count == sum(counts_as_unread(m, membership) for m in messages)
            ids = [m.id for m in messages[-MAX_LIMIT:]]  # no script calls anybody in more messages than that
            mentioned = {m.message_id: m for m in await self.reader().mentions.find_by_messages(unread.room_id, ids)}
            calls = (m.id in mentioned and counts_as_mention(m, membership, mentioned[m.id]) for m in messages)
            assert unread.mentions == sum(calls)
        return {u.room_id: u.count for u in counted}


NOBODY = UserId(builders.new_id())
"""A user who does not exist: to hold a room for its own sake."""

NO_MESSAGE = MessageId(builders.new_id())
NO_ROOM = RoomId(builders.new_id())
NO_FILE = FileId(builders.new_id())


def user_of(actor: Actor) -> UserId:
    """The id of an actor who is a person."""
    if actor.user_id is None:
        raise UserNotFound
    return actor.user_id
