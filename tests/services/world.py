"""What tests of services speak of: people, rooms, what they say, and a clock that stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from app.container import Chat
from app.domain.actors import Actor
from app.domain.credentials import Passwords
from app.domain.events import EventKind, RoomEvent
from app.domain.identity import AccountType, Registration, User
from app.domain.ids import UserId
from app.domain.messaging import Draft, Message
from app.domain.rooms import NewRoom, Room
from app.domain.unit_of_work import Clock


class StandingClock(Clock):
    """Shows the same time until told to go on."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def go_on(self, seconds: float = 1) -> datetime:
        self.time += timedelta(seconds=seconds)
        return self.time


class PlainPasswords(Passwords):
    async def hash(self, password: SecretStr) -> str:
        return f"plain:{password.get_secret_value()}"

    async def verify(self, password: SecretStr, password_hash: str | None) -> bool:
        return password_hash == await self.hash(password)

    def needs_rehash(self, password_hash: str) -> bool:
        return not password_hash.startswith("plain:")


@dataclass
class World:
    """The application with people in it, as a test speaks of them."""

    chat: Chat
    clock: StandingClock
    people: dict[str, Actor] = field(default_factory=dict)
    system: Actor = field(default_factory=Actor.system)

    async def person(self, name: str, kind: AccountType = AccountType.MEMBER) -> Actor:
        """An actor for a newly registered account."""
        user = await self.chat.identity.register(self.system, registration(name, kind))
        self.people[name] = Actor(user_id=user.id)
        return self.people[name]

    async def persons(self, *names: str) -> tuple[Actor, ...]:
        return tuple([await self.person(name) for name in names])

    async def room(self, owner: Actor, *members: Actor, **fields: object) -> Room:
        """A room with its owner and members."""
        room = await self.chat.rooms.create(owner, NewRoom(**{"name": "Lounge", **fields}))  # type: ignore[arg-type]  # any field
        for member in members:
            await self.chat.members.add(owner, room.id, id_of(member))
        return room

    async def say(self, actor: Actor, room: Room, *texts: str) -> list[Message]:
        return [(await self.chat.messages.send(actor, room.id, Draft(content=text))).message for text in texts]

    async def bar(self, actor: Actor) -> User:
        """Suspends an account, as an administrator will."""
        async with self.chat.store.unit_of_work(self.system) as uow:
            account = await uow.users.hold(id_of(actor))
            saved = await uow.users.save(account.changed(account_status="suspended"))
            await uow.commit()
        return saved.as_user()


def registration(name: str, kind: AccountType = AccountType.MEMBER) -> Registration:
    if kind in (AccountType.GUEST, AccountType.ROBOT):
        return Registration(username=name, account_type=kind)
    return Registration(
        username=name, email=f"{name}@example.org", password=SecretStr("correct horse"), account_type=kind
    )


def id_of(actor: Actor) -> UserId:
    assert actor.user_id is not None
    return actor.user_id


async def taken(events: AsyncIterator[RoomEvent], count: int) -> list[tuple[EventKind, int, UserId | None]]:
    """The next events as kind, revision and subject."""
    found = [await anext(events) for _ in range(count)]
    return [(event.kind, event.revision, event.user_id) for event in found]
