"""Where statements are counted: a tenant with one row of everything there can be many of, or with a hundred."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Self

from asyncpg.connection import LoggedQuery
from asyncpg.introspection import INTRO_LOOKUP_TYPES
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from app.domain.actors import Actor
from app.domain.identity import AccountType
from app.domain.ids import MessageId, RoomId
from app.domain.imports import ImportedMessage
from app.domain.invitations import Invitation, token_hash
from app.domain.messaging import Message, MessageType
from app.domain.rooms import Room, RoomType
from app.domain.rooms.members import Membership, Role
from app.testing import builders
from app.testing.harness import Harness
from app.testing.world import World, user_of

KEY = "the same key again"


class Ledger:
    """The statements that asyncpg sends on the connections of an engine, each as it was sent.

    What asyncpg itself asks, once a connection, about types it does not know is left out.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._sent: list[str] = []

        @event.listens_for(engine.sync_engine, "connect")
        def connected(connection: Any, record: Any) -> None:
            connection.driver_connection.add_query_logger(self._note)

    def _note(self, logged: LoggedQuery) -> None:
        if logged.query != INTRO_LOOKUP_TYPES and "set_config('jit'" not in logged.query:
            self._sent.append(logged.query)

    @asynccontextmanager
    async def counted(self) -> AsyncIterator[list[str]]:
        """The statements sent inside the block, once it has ended."""
        await asyncio.sleep(0)  # asyncpg tells of a statement one turn of the loop after it
        sent = self._sent = list[str]()
        yield sent
        await asyncio.sleep(0)
        self._sent = []


class Scene:
    """Two rooms of `size` members with `size` messages each: Ann reads in the hall, Ben writes in the attic.

    Each of the two sits in `size` rooms, all of which have messages. A verb changes nothing of this that another reads,
    so the verbs may come in any order and any number of times.
    """

    def __init__(self, world: World, size: int) -> None:
        self.world = world
        self.size = size
        self.ann: Actor
        self.ben: Actor
        self.outsider: Actor
        self.others: tuple[Actor, ...]
        """`size` people who do nothing of their own."""
        self.hall: RoomId
        self.attic: RoomId
        self.hall_messages: list[Message]
        """By the application, so that everybody may be a reader of them."""
        self.attic_messages: list[Message]
        """By Ben: `size` of them, the first with `size` answers after these."""
        self.invitation: Invitation
        """The outsider's, into the attic."""
        self.token_hash: str
        """Of a link."""
        self.doomed: list[MessageId]
        """Ben's, in the attic, for a verb to take one and delete it."""

    @classmethod
    async def new(cls, harness: Harness, size: int) -> Self:
        world = await World.new(harness)
        made = cls(world, size)
        made.ann = await world.person(username="Ann", email="ann@example.org", external_id="crm-1")
        made.ben = await world.person(username="Ben")
        made.outsider = await world.person()
        made.others = await world.persons(size)
        made.hall, *more_of_ann = await made._rooms("hall", made.ann)
        made.attic, *more_of_ben = await made._rooms("attic", made.ben)
        made.hall_messages = await made._sent(world.system, [made.hall] * size)
        made.attic_messages = await made._sent(made.ben, [made.attic] * size)
        await made._sent(made.ben, [made.attic] * size, thread_id=made.attic_messages[0].id)
        made.doomed = [message.id for message in await made._sent(made.ben, [made.attic] * 3)]
        await made._sent(made.ben, [made.attic], client_key=KEY)
        await made._sent(world.system, [*more_of_ann, *more_of_ben])
        await made._keep_out_and_invite(more_of_ben)
        for reader in (made.ann, *made.others[1:]):
            await world.once(reader).reading.mark_read(made.hall, made.hall_messages[0].id)
        return made

    async def _rooms(self, name: str, owner: Actor) -> list[RoomId]:
        """`size` rooms, the first with `size` members."""
        made = [self.room(name=f"{name} {n}", external_id=f"{name}-{n}") for n in range(self.size)]
        async with self.world.unit() as uow:
            for room in made:
                seats = [self.seat(room.id, owner, role=Role.OWNER)]
                if room is made[0]:
                    seats += [self.seat(room.id, other) for other in self.others[1:]]
                await uow.rooms.create(room, tuple(seats))
            await uow.commit()
        return [room.id for room in made]

    async def _keep_out_and_invite(self, more_of_ben: list[RoomId]) -> None:
        """`size` people banned from the hall, guests and open invitations in the attic, invitations of the outsider,
        rooms opened from the attic where the outsider sits, and invitations that have run out.
        """
        world, size = self.world, self.size
        banned = await world.persons(size)
        guests = [await world.person(account_type=AccountType.GUEST) for _ in range(size)]
        async with world.unit() as uow:
            for person in banned:
                await uow.rooms.put_membership(self.seat(self.hall, person, status="banned"))
            for guest in guests:
                await uow.rooms.take_seat(self.seat(self.attic, guest))
            self.invitation = self.invited(self.attic, self.outsider)
            await uow.invitations.create(self.invitation, None)
            for room_id in more_of_ben:
                await uow.invitations.create(self.invited(room_id, self.outsider), None)
                await uow.invitations.create(self.invited(self.attic), token_hash(builders.unique("token")))
                child = self.room(parent_room_id=self.attic)
                await uow.rooms.create(child, (self.seat(child.id, self.outsider),))
            child = self.room(parent_room_id=self.attic)
            await uow.rooms.create(child, (self.seat(child.id, self.outsider),))
            self.token_hash = token_hash(builders.unique("token"))
            for n in range(size):
                due = self.invited(self.hall, expires_at=uow.now + timedelta(seconds=1))
                await uow.invitations.create(due, token_hash(builders.unique("token")) if n else self.token_hash)
            await uow.commit()
        world.harness.clock.advance(2)

    async def _sent(self, actor: Actor, rooms: list[RoomId], **fields: Any) -> list[Message]:
        """A message into each of the rooms, all in one unit."""
        kind = MessageType.SYSTEM if actor is self.world.system else MessageType.TEXT
        async with self.world.unit(actor) as uow:
            drafts = [builders.draft(message_type=kind, **fields) for _ in rooms]
            sent = [await uow.messages.send(room, draft) for room, draft in zip(rooms, drafts, strict=True)]
            await uow.commit()
        return [each.message for each in sent]

    # ── what verbs are given ──────────────────────────────────────────────────────────────────────────────────────

    def seat(self, room_id: RoomId, person: Actor, **fields: Any) -> Membership:
        return builders.membership(room_id, user_of(person), self.world.tenant.id, **fields)

    def invited(self, room_id: RoomId, person: Actor | None = None, **fields: Any) -> Invitation:
        user_id = None if person is None else user_of(person)
        return builders.invitation(room_id, self.world.tenant.id, user_id=user_id, **fields)

    def room(self, **fields: Any) -> Room:
        return builders.room(tenant_id=self.world.tenant.id, **fields)

    def group(self) -> tuple[Room, tuple[Membership, ...]]:
        """A new room, with seats for `size` people."""
        room = self.room()
        return room, tuple(self.seat(room.id, other) for other in self.others)

    def direct(self) -> tuple[Room, tuple[Membership, ...]]:
        """A room of Ann and Ben, who have none."""
        room = self.room(room_type=RoomType.DIRECT)
        return room, (self.seat(room.id, self.ann), self.seat(room.id, self.ben))

    def imported(self) -> tuple[ImportedMessage, ...]:
        """`size` messages of as many authors, who have to take their seats."""
        return tuple(builders.imported(user_of(other)) for other in self.others)
