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

from app.domain.access import Permission
from app.domain.access.roles import AccessRole, UserRole
from app.domain.actors import Actor
from app.domain.answers import Answer
from app.domain.credentials import NewToken, Purpose, hash_of
from app.domain.drafts import DraftText
from app.domain.files.blobs import BlobKey, blob_key
from app.domain.identity import AccountType, OnlineStatus
from app.domain.ids import ConclusionId, FileId, InteractionId, MessageId, RoomId, ScheduledId, UserId
from app.domain.imports import ImportedMessage, ImportedSeat
from app.domain.invitations import Invitation, token_hash
from app.domain.messaging import Message, MessageType
from app.domain.messaging.mentions import Mentions
from app.domain.rooms import Room, RoomType
from app.domain.rooms.members import Membership, Role
from app.domain.schedule import ScheduledMessage
from app.domain.support.conclusions import Conclusion
from app.domain.support.escalations import Escalation
from app.domain.support.robots import RobotInteraction
from app.testing import builders
from app.testing.harness import START, Harness
from app.testing.world import World, user_of

KEY = "the same key again"
LIMIT = 100
EMOJI = "\N{THUMBS UP SIGN}"
DELETE_ANY = Permission.DELETE_ANY_MESSAGE.value


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
        self.nobody = world.system
        """The application."""
        self.sue: Actor
        """A supervisor."""
        self.roles: list[AccessRole]
        """`size` of them, all of which Ann holds everywhere."""
        self.others: tuple[Actor, ...]
        """`size` people who do nothing of their own."""
        self.hall: RoomId
        self.attic: RoomId
        self.hall_messages: list[Message]
        """By the application, so that everybody may be a reader of them."""
        self.called_messages: list[Message]
        """Robots' words in the attic that call Ben."""
        self.attic_messages: list[Message]
        """By Ben: `size` of them, the first with `size` answers after these."""
        self.support: SupportScene
        self.invitation: Invitation
        """The outsider's, into the attic."""
        self.token_hash: str
        """Of a link."""
        self.answer: MessageId
        """The last answer of the first of Ben's."""
        self.edited: MessageId
        """Ben's, with `size` earlier versions."""
        self.scheduled: list[ScheduledMessage]
        """Ann's, in the hall: `size` of them."""
        self.cancelled: list[ScheduledId]
        """Ben's scheduled ones, for a verb to take one and cancel it."""
        self.streamed: list[MessageId]
        """Answers being written in the attic, for a verb to take one and end it."""
        self.doomed: list[MessageId]
        """Ben's, in the attic, for a verb to take one and delete it."""
        self.tokens: dict[Purpose, NewToken] = {}
        """The newest that were made for each purpose."""

        self.cleo: Actor
        """She uploads, in the cellar, where nobody else is."""
        self.cellar: RoomId
        self.files: list[FileId]
        """`size` of them, each in a message of its own."""
        self.file_messages: list[MessageId] = []
        self.free: list[FileId] = []

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
        answers = await made._sent(made.ben, [made.attic] * size, thread_id=made.attic_messages[0].id)
        made.answer = answers[-1].id
        await made._written_on()
        made.doomed = [message.id for message in await made._sent(made.ben, [made.attic] * 3)]
        await made._sent(made.ben, [made.attic], client_key=KEY)
        await made._sent(world.system, [*more_of_ann, *more_of_ben])
        made.support = await SupportScene.new(made)
        made.cleo = await world.person()
        made.cellar = await world.room(made.cleo)
        made.files = await made._uploaded()
        await made._keep_out_and_invite(more_of_ben)
        for other in made.others:  # who are there, and have nothing to do with Ann
            await world.once(other).users.update_online_status(OnlineStatus.ONLINE)
            await world.once(made.ann).blocks.block(user_of(other))
        made.sue = await world.person(account_type=AccountType.SUPERVISOR)
        made.roles = [made.access_role("chat:*:*", DELETE_ANY) for _ in range(size)]
        async with world.unit() as uow:
            for role in made.roles:
                await uow.access.create_role(role)
                await uow.access.grant(made.granting(made.ann, role))
            await uow.commit()
        for _ in range(size):
            await world.once(made.sue).supervision.history(made.hall, "a complaint", limit=1)
        for reader in (made.ann, *made.others[1:]):
            await world.once(reader).reading.mark_read(made.hall, made.hall_messages[0].id)
        await made._marked()
        return made

    async def _written_on(self) -> None:
        """Drafts, scheduled messages, versions, and answers being written."""
        start = self.world.harness.clock()
        self.due = start + timedelta(days=7)
        self.edited = (await self._sent(self.ben, [self.attic]))[0].id
        async with self.world.unit(self.ben) as uow:
            for n in range(self.size):
                await uow.messages.edit(self.attic, self.edited, f"{n}")
            planned = [await uow.schedule.schedule(self.attic, builders.draft(), self.due) for _ in range(3)]
            self.cancelled = [each.message.id for each in planned]
            await uow.commit()
        async with self.world.unit(self.ann) as uow:
            self.scheduled = [
                (await uow.schedule.schedule(self.hall, builders.draft(), self.due)).message for _ in range(self.size)
            ]
            for message in self.hall_messages:
                await uow.drafts.save(self.hall, DraftText(content="so far"), message.id)
            await uow.commit()
        async with self.world.unit() as uow:
            begun = [await uow.messages.send(self.attic, Answer(content="so")) for _ in range(9)]
            self.streamed = [each.message.id for each in begun]
            await uow.commit()

    async def _marked(self) -> None:
        """Ann pins every message of the hall and reacts to it; so do the others of the hall to the first.

        A robot calls Ben in the attic as often.
        """
        world, first = self.world, self.hall_messages[0]
        async with world.unit(self.ann) as uow:
            for message in self.hall_messages:
                await uow.reactions.react(self.hall, message.id, EMOJI)
                await uow.pins.pin(self.hall, message.id)
            await uow.commit()
        for other in self.others[1:]:
            await world.once(other).reactions.react(self.hall, first.id, EMOJI)
        calling = Mentions(users=(user_of(self.ben),))
        self.called_messages = await self._sent(
            world.system, [self.attic] * self.size, message_type=MessageType.ROBOT, mentions=calling
        )

    def everybody(self) -> Mentions:
        """Mentions of all the others, who sit in the attic too, in every way."""
        return Mentions(users=tuple(user_of(other) for other in self.others), here=True, all=True)

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
        fields.setdefault("message_type", MessageType.SYSTEM if actor is self.world.system else MessageType.TEXT)
        async with self.world.unit(actor) as uow:
            drafts = [builders.draft(**fields) for _ in rooms]
            sent = [await uow.messages.send(room, draft) for room, draft in zip(rooms, drafts, strict=True)]
            await uow.commit()
        return [each.message for each in sent]

    async def _uploaded(self) -> list[FileId]:
        made: list[FileId] = []
        async with self.world.unit(self.cleo) as uow:
            for n in range(self.size):
                file = await uow.files.begin(self.cellar, builders.new_file(), builders.LIFETIME)
                await uow.files.finish(file.id, self.blob(), builders.CHECKSUM)
                sent = await uow.messages.send(self.cellar, builders.draft(f"file {n}", file_ids=(file.id,)))
                self.file_messages.append(sent.message.id)
                made.append(file.id)
            await uow.commit()
        return made

    async def free_files(self) -> None:
        """`size` files of Cleo's that are ready and whose time is over; those of before are gone."""
        async with self.world.unit() as uow:
            while (await uow.files.expire(LIMIT)).files:
                pass
            await uow.commit()
        self.free = []
        async with self.world.unit(self.cleo) as uow:
            for _ in range(self.size):
                file = await uow.files.begin(self.cellar, builders.new_file(), timedelta(hours=-1))
                await uow.files.finish(file.id, self.blob(), builders.CHECKSUM)
                self.free.append(file.id)
            await uow.commit()

    def blob(self) -> BlobKey:
        return blob_key(self.world.tenant.id, builders.new_id())

    @property
    def application(self) -> Actor:
        return self.world.system

    # ── what verbs are given ──────────────────────────────────────────────────────────────────────────────────────

    def seat(self, room_id: RoomId, person: Actor, **fields: Any) -> Membership:
        return builders.membership(room_id, user_of(person), self.world.tenant.id, **fields)

    def access_role(self, *permissions: str) -> AccessRole:
        return builders.access_role(*permissions, tenant_id=self.world.tenant.id)

    def granting(self, person: Actor, role: AccessRole) -> UserRole:
        return builders.user_role(user_of(person), role.id, tenant_id=self.world.tenant.id)

    def invited(self, room_id: RoomId, person: Actor | None = None, **fields: Any) -> Invitation:
        user_id = None if person is None else user_of(person)
        return builders.invitation(room_id, self.world.tenant.id, user_id=user_id, **fields)

    def token(self, purpose: Purpose, seconds: float = 3600) -> NewToken:
        """A new token, which expires in so many seconds."""
        token_id = builders.new_id()
        expires_at = self.world.harness.clock() + timedelta(seconds=seconds)
        token = NewToken(id=token_id, purpose=purpose, token_hash=hash_of(token_id.hex), expires_at=expires_at)
        self.tokens[purpose] = token
        return token

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

    def imported(self, **fields: Any) -> tuple[ImportedMessage, ...]:
        """`size` messages of as many authors, who have to take their seats."""
        return tuple(builders.imported(user_of(other), **fields) for other in self.others)

    def imported_seats(self) -> tuple[ImportedSeat, ...]:
        """Of the others."""
        return tuple(ImportedSeat(user_id=user_of(other)) for other in self.others)


class SupportScene:
    """`size` questions to a robot, `size` escalations that wait, `size` in Ann's hands and overdue, and a room that was
    concluded `size` times."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.robot_id: UserId
        self.pending: RobotInteraction
        self.waiting: Escalation
        self.in_hand: Escalation
        self.concluded_id: RoomId
        self.conclusion_id: ConclusionId
        self.source_id: RoomId
        self.target_id: RoomId
        """Two active rooms that no escalation knows."""

    @property
    def asked(self) -> tuple[RoomId, MessageId, InteractionId]:
        return self.pending.room_id, self.pending.message_id, self.pending.id

    @classmethod
    async def new(cls, scene: Scene) -> Self:
        made, world = cls(scene), scene.world
        made.robot_id = user_of(await world.person(account_type="robot"))
        async with world.unit() as uow:
            for message in scene.hall_messages:
                made.pending = builders.interaction(message, made.robot_id)
                await uow.robots.begin(made.pending)
            for n in range(2 * scene.size):
                rooms = [scene.room(room_type=RoomType.SUPPORT) for _ in range(2)]
                for room in rooms:
                    await uow.rooms.create(room, ())
                due_at = START + timedelta(hours=1 if n < scene.size else -1)
                escalation = builders.escalation(
                    rooms[0].id, rooms[1].id, tenant_id=world.tenant.id, due_at=due_at, reason=f"escalation {n}"
                )
                await uow.escalations.create(escalation)
                if n < scene.size:
                    made.waiting = escalation
                else:
                    made.in_hand = await uow.escalations.save(escalation.assigned(user_of(scene.ann), START))
            for room in (rooms := [scene.room(room_type=RoomType.SUPPORT) for _ in range(3)]):
                await uow.rooms.create(room, ())
            made.concluded_id, made.source_id, made.target_id = (room.id for room in rooms)
            for n in range(scene.size):
                if n:
                    await uow.conclusions.reopen(made.concluded_id)
                conclusion = builders.conclusion(made.concluded_id, tenant_id=world.tenant.id)
                made.conclusion_id = conclusion.id
                await uow.conclusions.conclude(conclusion)
            await uow.commit()
        return made

    # ── what verbs are given ──────────────────────────────────────────────────────────────────────────────────────

    def question(self) -> RobotInteraction:
        """To the robot, by a message that has not asked it."""
        return builders.interaction(self._scene.attic_messages[0], self.robot_id)

    def another(self) -> Escalation:
        return builders.escalation(self.source_id, self.target_id, tenant_id=self._scene.world.tenant.id)

    def end(self) -> Conclusion:
        return builders.conclusion(self.source_id, tenant_id=self._scene.world.tenant.id)
